"""The line that says what was done."""
