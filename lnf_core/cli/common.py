"""What the commands share: errors in one sentence, checkpoints and paths as they are given, the device."""

from __future__ import annotations

import errno
import json
import math
import shlex
import sys
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from lnf_core.errors import LNFError
from lnf_core.storage.files import from_home

CheckpointName = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="A bundled name (jsb/af-scf), a folder or a Hub id (user/repo).")
]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub checkpoint.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Threads = Annotated[int, typer.Option(min=0, max=512, help="Processor threads; 0 leaves torch's choice.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else; null for what is not finite.")
]

MAX_SEED = 2**63 - 1  # whole numbers of 64 bits, with a sign
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # told of a write, which names no file


def path_option(told: str, *names: str) -> Any:  # noqa: ANN401 - as typer.Option
    """An option that is a path, with its help; ``~`` is the home folder, which no shell writes out in ``--out=~/x``."""
    return typer.Option(*names, parser=from_home, metavar="<path>", help=told)


def path_argument(told: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - as typer.Argument
    """An argument that is a path, or several, with its help; ``~`` as in :func:`path_option`."""
    return typer.Argument(parser=from_home, metavar=metavar, help=told)


class Commands(TyperGroup):
    """A group whose commands end with one sentence and status 1 on an error of the package, or of a file or folder.

    Warnings are one sentence as well, without the line of code they come from.
    """

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401 - what the command returns
        """Run the command that was asked for."""
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            try:
                return super().invoke(ctx)
            except LNFError as error:
                typer.echo(" ".join(str(error).split()), err=True)
                raise typer.Exit(1) from error
            except OSError as error:
                if error.filename is not None:
                    typer.echo(f"{error.filename} cannot be used: {error.strerror}.", err=True)
                elif error.errno in _FULL:
                    typer.echo(f"what this command writes has no room: {error.strerror}.", err=True)
                else:  # a pipe that was closed, say: click knows what to do about it
                    raise
                raise typer.Exit(1) from error


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    typer.echo(f"Warning: {message}", err=True)


def resolve_device(name: str, threads: int = 0) -> str:
    """``auto`` is CUDA where there is one, else the CPU; ``threads`` above 0 bounds torch's threads.

    Raises:
        InvalidInputError: a device this machine or torch does not have.
    """
    import torch

    from lnf_core.checks import check_device

    if threads:
        torch.set_num_threads(threads)
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    device = check_device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # cuda_graph launches its kernels on the current one
    return name


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object. JSON has no NaN and no infinity; null stands for them."""
    typer.echo(json.dumps(_finite(values), allow_nan=False))


def _finite(value: Any) -> Any:  # noqa: ANN401 - anything that JSON holds
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def provenance() -> dict[str, str]:
    """What a figure is kept with, so that it can be had again: the version of the code, the date, the command."""
    from lnf_core.version import code_version

    return {
        "code_version": code_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": command_line(),
    }


def command_line() -> str:
    """The command as typed, to be repeated later."""
    return shlex.join(["python", "-m", "lnf_core", *sys.argv[1:]])
