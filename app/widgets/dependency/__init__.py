"""Lesson: a sequence of latent vectors and its symbols, and what each of them depends on."""
