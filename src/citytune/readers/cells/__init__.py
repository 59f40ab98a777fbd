"""How cells are written: numbers, units, moments; and what a column of them holds."""
