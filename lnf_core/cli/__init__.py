"""The command line: ``python -m lnf_core COMMAND``. The only place in the package that prints.

One module a command or group of commands; heavy imports wait until a command runs.
"""

from __future__ import annotations

import io
import sys

import typer

from lnf_core.cli.bench import bench
from lnf_core.cli.bounds import bounds
from lnf_core.cli.card import card
from lnf_core.cli.common import Commands
from lnf_core.cli.convert import import_textflow, release
from lnf_core.cli.curves import curves
from lnf_core.cli.data import app as data_app
from lnf_core.cli.evaluate import evaluate
from lnf_core.cli.modes import modes
from lnf_core.cli.push import push
from lnf_core.cli.sample import sample
from lnf_core.cli.statistics import statistics
from lnf_core.cli.tables import results
from lnf_core.cli.train import train, train_queue

app = typer.Typer(
    cls=Commands,
    name="lnf_core",
    help="Latent normalizing flows for text and polyphonic music.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(data_app, name="data")
app.command("train")(train)
app.command("train-queue")(train_queue)
app.command("curves")(curves)
app.command("evaluate")(evaluate)
app.command("sample")(sample)
app.command("statistics")(statistics)
app.command("modes")(modes)
app.command("bounds")(bounds)
app.command("bench")(bench)
app.command("release")(release)
app.command("card")(card)
app.command("results")(results)
app.command("push")(push)
app.command("import-textflow")(import_textflow)


def main() -> None:
    """Entry point. Exit status: 0 done, 1 an error of ours (one sentence on stderr), 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a redirect of Windows has not every character
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="python -m lnf_core")
