"""The Gradio app: it calls ``lnf_core``, draws and explains. It holds no maths and no file formats."""
