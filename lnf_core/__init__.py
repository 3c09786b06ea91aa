"""Latent normalizing flows for discrete sequences (Ziegler & Rush, ICML 2019)."""

__version__ = "0.1.0"
