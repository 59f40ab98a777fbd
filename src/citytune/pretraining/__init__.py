"""Make a new backbone from many cities' series."""
