"""Learners that need no gradient: ridge, the new last layer, boosted trees."""
