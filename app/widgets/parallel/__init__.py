"""Lesson: which vectors wait for which, drawing and scoring, in AF and IAF."""
