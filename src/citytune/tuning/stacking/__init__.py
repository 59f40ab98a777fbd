"""The weights of experts, and how far a correction is followed, by what was gained out of fold."""
