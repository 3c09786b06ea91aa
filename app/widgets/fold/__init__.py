"""A line that folds and unfolds what stands below it. Gradio's own mounts its inside only once it is opened."""
