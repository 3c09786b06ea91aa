"""One sequence taken apart: costs, layers, bound and reach."""
