"""The look: Gradio's own parts take the colours and the type of theme.css."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr

CSS_FILE = Path(__file__).resolve().parent / "theme.css"
# System fonts only: nothing is fetched from elsewhere, and the page looks at home on every machine.
_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Neutral surfaces; colour is left to the variants."""
    # Ground and ink themselves, no names for them: names come with theme.css, seconds after the page where the network
    # is slow, and behind the page only those of the light scheme are known.
    colours = CSS_FILE.read_text(encoding="utf-8")
    page, ink = (re.findall(rf"--lnf-{name}: (#\w+)", colours) for name in ("page", "ink"))  # light, dark
    return gr.themes.Base(
        primary_hue="stone",
        neutral_hue="stone",
        radius_size="md",
        text_size="md",
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill=page[0],
        body_background_fill_dark=page[1],
        body_text_color=ink[0],
        body_text_color_dark=ink[1],
        body_text_color_subdued="var(--lnf-soft)",
        body_text_color_subdued_dark="var(--lnf-soft)",
        background_fill_primary="var(--lnf-page)",
        background_fill_primary_dark="var(--lnf-page)",
        background_fill_secondary="var(--lnf-page)",
        background_fill_secondary_dark="var(--lnf-page)",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_text_color="var(--lnf-soft)",
        block_label_text_color_dark="var(--lnf-soft)",
        block_title_text_color="var(--lnf-ink)",
        block_title_text_color_dark="var(--lnf-ink)",
        block_title_text_weight="400",
        block_title_text_size="13px",
        block_info_text_color="var(--lnf-soft)",
        block_info_text_color_dark="var(--lnf-soft)",
        block_info_text_size="13px",
        input_background_fill="var(--lnf-card)",
        input_background_fill_dark="var(--lnf-card)",
        input_border_color="var(--lnf-edge)",
        input_border_color_dark="var(--lnf-edge)",
        input_placeholder_color="var(--lnf-soft)",
        input_placeholder_color_dark="var(--lnf-soft)",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_text_size="15px",
        checkbox_border_color="var(--lnf-edge)",
        checkbox_border_color_dark="var(--lnf-edge)",
        # Gradio's tick is white in either scheme.
        checkbox_border_color_selected="var(--lnf-ticked)",
        checkbox_border_color_selected_dark="var(--lnf-ticked)",
        checkbox_background_color_selected="var(--lnf-ticked)",
        checkbox_background_color_selected_dark="var(--lnf-ticked)",
        checkbox_label_background_fill="var(--lnf-card)",
        checkbox_label_background_fill_dark="var(--lnf-card)",
        checkbox_label_background_fill_hover="var(--lnf-card)",
        checkbox_label_background_fill_hover_dark="var(--lnf-card)",
        checkbox_label_background_fill_selected="var(--lnf-card)",
        checkbox_label_background_fill_selected_dark="var(--lnf-card)",
        checkbox_label_border_color="var(--lnf-edge)",
        checkbox_label_border_color_dark="var(--lnf-edge)",
        slider_color="var(--lnf-ink)",
        slider_color_dark="var(--lnf-ink)",
        button_primary_background_fill="var(--lnf-ink)",
        button_primary_background_fill_dark="var(--lnf-ink)",
        button_primary_background_fill_hover="var(--lnf-soft)",
        button_primary_background_fill_hover_dark="var(--lnf-soft)",
        button_primary_text_color="var(--lnf-card)",
        button_primary_text_color_dark="var(--lnf-card)",
        button_large_radius="8px",
        input_radius="8px",
        button_large_text_size="15px",
        border_color_primary="var(--lnf-line)",
        border_color_primary_dark="var(--lnf-line)",
        layout_gap="20px",
    )
