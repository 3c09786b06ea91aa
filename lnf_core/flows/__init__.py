"""Flows over the D dimensions of one step, and over time."""
