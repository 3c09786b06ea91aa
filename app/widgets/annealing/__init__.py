"""The lesson on where the information lives: two tiny models trained live, with and without KL annealing."""
