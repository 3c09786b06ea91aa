"""A table that can be read, sorted by nobody and taken away as CSV."""
