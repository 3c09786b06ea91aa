"""The choice of data set and variant."""
