"""Thousands of draws of one hidden vector, coloured by the symbol each decodes to."""
