"""What the widgets that look into one sequence share: its place, its link, another one, and typed text."""
