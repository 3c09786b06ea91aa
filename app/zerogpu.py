"""Spaces that lend GPUs: the page starts there and borrows none.

The models stay on the CPU, where a sample is there sooner than a GPU is lent; a borrowed one would only spend what a
visitor has of it.
"""

from __future__ import annotations

try:
    import spaces  # before anything asks for a GPU
except ImportError:
    spaces = None


def let_start() -> None:
    """Mark a function that nobody calls: such a Space refuses an app without any that may borrow a GPU."""
    if spaces is not None:
        spaces.GPU(_nothing)


def _nothing() -> None:
    """Runs nowhere."""
