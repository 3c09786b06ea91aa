"""What a visitor started, they can end: one mark a visitor, looked at between the steps of the work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr


class StoppedError(Exception):
    """Somebody pressed Cancel or Stop."""


class Stops:
    """The work going on for each visitor, by session."""

    def __init__(self) -> None:
        self._going_on: dict[str, threading.Event] = {}

    @contextmanager
    def of(self, request: gr.Request) -> Iterator[threading.Event]:
        """A mark that :meth:`stop` sets for the same visitor while the block runs."""
        visitor, mark = str(request.session_hash), threading.Event()
        self._going_on[visitor] = mark
        try:
            yield mark
        finally:
            # What was stopped may still be ending while the visitor's next work has begun.
            if self._going_on.get(visitor) is mark:
                del self._going_on[visitor]

    def stop(self, request: gr.Request) -> None:
        """End what this visitor started, within a step of it."""
        if mark := self._going_on.get(str(request.session_hash)):
            mark.set()
