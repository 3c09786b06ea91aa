"""How long work reports on itself."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with ``(done, of how many)``; an exception it raises stops the work."""
