"""What every strategy is given, and what was computed of it."""
