"""Checkpoints on disk and on the Hub: plain files, written in one step, read without unpickling anything."""
