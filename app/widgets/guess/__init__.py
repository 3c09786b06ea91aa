"""The question which of three openings is Bach's, and everybody's guesses."""
