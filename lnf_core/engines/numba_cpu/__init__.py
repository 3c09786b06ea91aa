"""Sampling compiled for the CPU at hand, with numba. Nothing is compiled before a kernel is first called."""
