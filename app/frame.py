"""What stands above and below the tabs."""

from __future__ import annotations

import gradio as gr

from app.widgets import widget


class Header:
    """What this is, and a tour; the page has nothing to listen to."""

    def render(self) -> None:
        """Place the title and the tour."""
        with gr.Row(elem_classes="lnf-top"):
            gr.HTML(
                "<h1>Latent flows</h1>"
                "<p>A flow bends noise into music and text that nobody wrote. Press Play; then Sample for another.</p>",
                elem_classes="lnf-head",
                apply_default_css=False,
            )
            widget("tour", label="tour", elem_id="tour")


class Footer:
    """Credits; nothing to listen to."""

    def render(self) -> None:
        """Place the credits."""
        gr.HTML(
            "<p>After Ziegler &amp; Rush, “Latent Normalizing Flows for Discrete Sequences”, ICML 2019. "
            "Sound: FluidSynth with the soundfont TimGM6mb (GPL-2) that comes with pretty_midi. "
            "Samples are deleted from this server after an hour.</p>",
            elem_classes="lnf-foot",
            apply_default_css=False,
        )
