"""What the page can ask for, in terms of ``lnf_core``: no Gradio and no maths in here."""
