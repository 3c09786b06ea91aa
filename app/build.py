"""Puts the page together and serves it."""

from __future__ import annotations

import gradio as gr
import torch

from app.components.controls import Controls
from app.components.header import Footer, Header
from app.components.model_bar import ModelBar
from app.components.sample_view import SampleView
from app.limits import LIMITS
from app.service import Service
from app.theme import CSS_FILE, theme

TITLE = "Latent flows"


def build_app() -> gr.Blocks:
    """The page with all its listeners, not yet served."""
    service = Service()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        header, bar, controls, view, footer = Header(), ModelBar(), Controls(service), SampleView(service), Footer()
        for part in (header, bar, controls, view, footer):
            part.render()
        for part in (header, bar, controls, footer):
            part.listen()
        view.listen(page, bar, controls)
    page.queue(max_size=LIMITS.queue, default_concurrency_limit=8)
    return page


def launch(host: str = "127.0.0.1", port: int = 7860, *, share: bool = False) -> None:
    """Serve the page until interrupted; Gradio prints the address."""
    # Sampling is a chain of small steps: more threads only wait for each other, and badly so on a busy machine.
    torch.set_num_threads(1)
    build_app().launch(
        server_name=host,
        server_port=port,
        share=share,
        theme=theme(),
        css_paths=CSS_FILE,
        run_history=False,
        footer_links=["api"],
        max_file_size="2mb",
        ssr_mode=False,
        show_error=False,
    )
