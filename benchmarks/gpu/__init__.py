"""The GPU plan: numbered steps for a rented GPU machine that reaches nothing; see docs/gpu.md."""
