"""The ``cuda_graph`` engine: the loop over time recorded once, its flows in kernels of their own."""
