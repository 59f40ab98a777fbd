"""When each row was measured."""
