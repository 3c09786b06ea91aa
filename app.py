"""Start the app: ``python app.py [--host HOST] [--port PORT] [--share] [--mcp]``."""

from __future__ import annotations

import argparse
import importlib.util
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read by Gradio while it is imported

from app.build import launch


def main() -> None:
    """Read the options and serve until interrupted."""
    parser = argparse.ArgumentParser(description="Hear, read and see what a flow prior samples.")
    on_spaces = bool(os.environ.get("SPACE_ID"))
    parser.add_argument("--host", default="0.0.0.0" if on_spaces else "127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    parser.add_argument("--share", action="store_true", help="also open a public link through Gradio's relay")
    parser.add_argument("--mcp", action="store_true", help="also offer every named endpoint as a tool to MCP clients")
    options = parser.parse_args()
    if options.mcp and importlib.util.find_spec("mcp") is None:
        parser.error('--mcp needs the package mcp, which is not installed; get it with: pip install "gradio[mcp]"')
    launch(options.host, options.port, share=options.share, mcp=options.mcp)


if __name__ == "__main__":
    main()
