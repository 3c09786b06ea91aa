"""Start the app: ``python app.py [--host HOST] [--port PORT] [--share] [--mcp]``."""

from __future__ import annotations

import argparse
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from packaging.requirements import Requirement

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read by Gradio while it is imported
# It keeps the last 10,000 events and makes a table of them anew after each one: 5 ms in the beginning, 15 in the end.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
# Several visitors are served at a time: NumPy's threads, as PyTorch's (app/build.py), would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Gradio asks matplotlib for its backend around every event; without a name pyplot is imported, while visitors wait.
os.environ.setdefault("MPLBACKEND", "agg")


def why_no_mcp() -> str | None:
    """What keeps ``--mcp`` from working here and how to get it, or None."""
    how = 'get it with: pip install "gradio[mcp]"'
    try:
        found = metadata.version("mcp")
    except metadata.PackageNotFoundError:
        return f"--mcp needs the package mcp, which is not installed; {how}"
    wanted = [Requirement(line) for line in metadata.requires("gradio") or []]
    fitting = next((requirement.specifier for requirement in wanted if requirement.name == "mcp"), None)
    if fitting is not None and not fitting.contains(found):
        return f"--mcp needs the package mcp {fitting}, and {found} is installed; {how}"
    return None


@contextmanager
def no_type_stubs() -> Iterator[None]:
    """Import Gradio in three fifths of the time: it need not write type stubs of its components into its own folder.

    It does so for every class of a component that has a source file, whenever that class is made.
    """
    real = inspect.getfile

    def getfile(of: object) -> str:
        if type(of).__name__ == "ComponentMeta":
            raise OSError("no type stubs are wanted")
        return real(of)  # type: ignore[arg-type]

    inspect.getfile = getfile
    try:
        yield
    finally:
        inspect.getfile = real


def main() -> None:
    """Read the options and serve until interrupted."""
    parser = argparse.ArgumentParser(description="Hear, read and see what a flow prior samples.")
    on_spaces = bool(os.environ.get("SPACE_ID"))
    parser.add_argument("--host", default="0.0.0.0" if on_spaces else "127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    parser.add_argument("--share", action="store_true", help="also open a public link through Gradio's relay")
    parser.add_argument("--mcp", action="store_true", help="also offer every named endpoint as a tool to MCP clients")
    options = parser.parse_args()
    problem = why_no_mcp() if options.mcp else None
    if problem is not None:
        parser.error(problem)

    with no_type_stubs():
        from app.build import launch  # takes seconds: not before the options are known to be good

    launch(options.host, options.port, share=options.share, mcp=options.mcp)


if __name__ == "__main__":
    main()
