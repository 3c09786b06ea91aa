"""A list to choose one thing from."""
