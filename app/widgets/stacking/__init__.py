"""Lesson: a stack of bends has more modes than one."""
