"""Who draws fastest, and how that grows with the length."""
