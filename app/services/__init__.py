"""What the page asks of ``lnf_core``: no Gradio here, and no maths."""
