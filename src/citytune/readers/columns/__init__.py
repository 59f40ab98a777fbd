"""What each column is: the time, the sensor, the readings, or none of these."""
