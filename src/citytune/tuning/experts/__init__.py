"""What forecasts: one file for each kind of expert, and the mixture of them."""
