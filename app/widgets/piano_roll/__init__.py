"""The piano roll: drawn, played, downloaded."""
