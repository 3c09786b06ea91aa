"""Race: the same lengths drawn by every model of a data set, live."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from app.errors import refused, spoken
from app.model_bar import ModelBar
from app.services.racing import Racing
from app.stops import Stops
from app.tabs.tab import Tab
from app.widgets import widget
from app.widgets.race.payload import race_payload

# Nothing more of a race arrives once it is left, so the page says so itself; the laps driven stay. It says so once the
# server knows, since a press of Race before that would be lost.
_STOPPING = "(shown) => (shown && shown.running ? { ...shown, now: 'Stopping' } : shown)"
_STOPPED = "(shown) => (shown && shown.running ? { ...shown, running: false, now: 'Stopped' } : shown)"


class RaceTab(Tab):
    """A button, and a picture that grows with every lap."""

    name = "race"
    title = "Race"

    def __init__(self, racing: Racing) -> None:
        self._racing = racing
        self._stops = Stops()

    def render(self) -> None:
        """Place the button, the choice and the picture."""
        with gr.Row(elem_classes="lnf-do"):
            self._start = gr.Button("Race", variant="primary", elem_id="race-button", scale=0, min_width=140)
            self._stop = gr.Button("Stop", elem_id="race-stop", scale=0, min_width=100)
            self._plain = gr.Checkbox(
                False, label="also with plain PyTorch, the slow way", elem_id="race-plain", container=False
            )
        self._picture = widget("race", value=None, label="race", elem_id="race")

    def linked(self) -> Sequence[gr.components.Component]:
        """Whether the plain engine takes part."""
        return [self._plain]

    def follow(self, link: Mapping[str, str]) -> Sequence[Any]:
        """``plain=1`` ticks the box."""
        return [True if link.get("plain") == "1" else gr.skip()]

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Start and stop; clients of the API wait for the whole race."""
        race = self._start.click(
            self._race,
            [bar.picker, self._plain],
            self._picture,
            api_visibility="private",
            show_progress="minimal",
            concurrency_id="race",
            concurrency_limit=1,
            trigger_mode="once",
        )
        # What still waits for another visitor's race leaves the queue, and counts as failed; what is being drawn ends
        # within a step.
        self._stop.click(None, self._picture, self._picture, api_visibility="private", cancels=[race], js=_STOPPING)
        self._stop.click(self._stops.stop, None, None, api_visibility="private", show_progress="hidden", queue=False)
        race.failure(None, self._picture, self._picture, api_visibility="private", js=_STOPPED)

        @spoken
        def measured(checkpoint: str, plain: bool = False) -> dict[str, Any]:
            """The times of every model of the checkpoint's data set, in milliseconds a sequence."""
            *_, last = self._racing.run(checkpoint, plain is True, threading.Event())
            return race_payload(last)

        gr.api(measured, api_name="race", concurrency_id="race")

    def _race(self, name: str, plain: bool, request: gr.Request) -> Iterator[Any]:
        with self._stops.of(request) as stop:
            try:
                yield from map(race_payload, self._racing.run(name, plain is True, stop))
            except Exception as error:
                raise refused(error) from None
