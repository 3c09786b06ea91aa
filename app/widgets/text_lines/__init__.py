"""Lines of text, tinted."""
