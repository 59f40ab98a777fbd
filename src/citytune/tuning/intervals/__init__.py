"""How far a forecast may miss: intervals, their calibration, and the price of rare values."""
