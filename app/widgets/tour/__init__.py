"""A short walk through the page, on the page itself."""
