"""What is done to the page itself on its way to a visitor: words to begin with, and less to carry."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
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


def _is_page(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"] == "/")


class FirstWords:
    """Words to read at once: Gradio's come with its scripts, which on a slow line is seconds later."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
                message = {**message, "body": before + (_WORDS if at else b"") + at + after}
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
