"""Every failure reaches the visitor as one plain sentence."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import gradio as gr

import lnf_core
from app.limits import FieldError
from app.turns import CrowdedError, Places

Handler = TypeVar("Handler", bound=Callable[..., Any])
_LOG = logging.getLogger("app")


def sentence(error: Exception) -> str:
    """The message, starting with a capital letter and ending with a full stop."""
    text = " ".join(str(error).split()) or "something went wrong"
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def words_for(error: Exception) -> str:
    """What a visitor is told of a failure: an error of ours in its own words, anything else logged and admitted."""
    if isinstance(error, lnf_core.LNFError):
        return sentence(error)
    _LOG.error("A request failed", exc_info=error)
    return "Something went wrong here; it was written to the server's log. Please try again."


def spoken(handler: Handler) -> Handler:
    """Turn every error into one message for clients of the API, who read it as it is."""

    @functools.wraps(handler)
    def wrapped(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the handler takes and gives
        try:
            return handler(*arguments, **named)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(words_for(error), print_exception=False) from None

    return wrapped  # type: ignore[return-value]


def told(error: Exception) -> dict[str, Any]:
    """What a widget that asked is told of a failure, and the field it is about."""
    return {"error": words_for(error)} | ({"field": error.field} if isinstance(error, FieldError) else {})


def answers(name: str, view: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """``view`` as a plain function called ``name``, as Gradio wants it; errors are told in words."""

    def answer(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a browser sends
        try:
            return view(asked if isinstance(asked, dict) else {})
        except Exception as error:
            return told(error)

    answer.__name__ = name
    return answer


def answers_in_turn(
    name: str, view: Callable[[Mapping[str, Any]], dict[str, Any]], places: Places
) -> Callable[[Any], Awaitable[dict[str, Any]]]:
    """:func:`answers` for what takes its time, in one of ``places``."""
    answer = answers(name, view)

    async def in_turn(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a browser sends
        try:
            return await places.run(lambda: answer(asked))
        except CrowdedError as error:
            return told(error)

    in_turn.__name__ = name
    return in_turn


def refused(error: Exception) -> gr.Error:
    """What is raised to tell a visitor of ``error``."""
    # Messages are shown as HTML, and a message may quote what the visitor sent.
    text = html.escape(words_for(error), quote=False)
    return gr.Error(text, duration=15, title="That did not work", print_exception=False)
