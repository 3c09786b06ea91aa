"""What is done to the page itself on its way to a visitor: words and a script to begin with, and less to carry."""

from __future__ import annotations

import hashlib

from gradio.ranged_response import RangedFileResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In the ink that the page has from the start (theme.py), and gone once it stands.
_WORDS = b"""<style>
.lnf-first { width: 100%; max-width: 1120px; margin: 0 auto; padding: 24px; box-sizing: border-box; }
.lnf-first b { font: 600 24px / 1.15 Georgia, serif; }
body:has(#tabs) > .lnf-first { display: none; }
</style>
<p class="lnf-first"><b>Latent flows</b><br>Music and text that a flow draws. The page is on its way.</p>
"""
_BEFORE = b"<gradio-app"


def in_large_parts() -> None:
    """Let Gradio send sound in parts of 256 kB, not of 4: each part is a turn of a thread, 250 of them a piece."""
    RangedFileResponse.chunk_size = 1 << 18


def _is_page(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"] == "/")


class Script:
    """A script of the page as a file of its own, which a browser that has it never asks for again."""

    def __init__(self, text: str) -> None:
        self._text = text
        version = hashlib.sha256(text.encode()).hexdigest()[:16]
        # Neither a module nor deferred: it has run once the page is read to its end, which modules, Gradio's, wait for.
        self.tag = f'<script src="./widgets.js?v={version}"></script>\n'
        self.route = Route("/widgets.js", self._answer)

    async def _answer(self, _: Request) -> Response:
        kept = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(self._text, media_type="text/javascript", headers=kept)


class FirstWords:
    """Words to read at once, since Gradio's come with its scripts, which on a slow line is seconds later.

    Args:
        app: what answers.
        script: the tag of a script that runs before Gradio's.
    """

    def __init__(self, app: ASGIApp, script: str) -> None:
        self._app = app
        self._first = _WORDS + script.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        held: list[Message] = []

        async def send_with_words(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)  # with a length that is yet to change
                return
            if held:
                start = held.pop()
                before, at, after = message.get("body", b"").partition(_BEFORE)
                message = {**message, "body": before + (self._first if at else b"") + at + after}
                kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                if not message.get("more_body"):
                    kept.append((b"content-length", str(len(message["body"])).encode()))
                await send({**start, "headers": kept})
            await send(message)

        await self._app(scope, receive, send_with_words if _is_page(scope) else send)


class PackedPage(GZipMiddleware):
    """Compresses the page itself: Gradio does so for files by their names, and what stands at ``/`` has none.

    Nothing else: a stream of events must not wait for a block to fill, and sound is asked for in parts.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await (super().__call__ if _is_page(scope) else self.app)(scope, receive, send)
