"""The plan for a GPU that is lent for half an hour: steps of minutes that go on where they stopped, and small results.

docs/gpu.md says how to fire it; ``make gpu-rehearsal`` runs all of it small on the CPU.
"""
