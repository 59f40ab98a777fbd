"""From rows to values on a regular clock, and what is wrong with them."""
