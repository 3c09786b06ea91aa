"""Lesson: draw a density, and a small stack of NLSq layers is fitted to it in the browser."""
