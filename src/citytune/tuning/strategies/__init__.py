"""Which weights are found, and how: one file for each way."""
