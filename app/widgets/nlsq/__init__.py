"""Lesson 1: one NLSq transform, its slope, its density and its inverse."""
