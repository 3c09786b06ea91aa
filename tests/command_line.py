"""Commands as a person types them, for tests of what they print, write and refuse."""

from __future__ import annotations

from functools import cache

import typer.testing
from typer.testing import CliRunner, Result

from lnf_core.cli import app

# It would build all commands anew for each one that is run.
typer.testing._get_command = cache(typer.main.get_command)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def failed(result: Result, words: str) -> None:
    """One sentence on stderr, status 1, nothing on stdout."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert words in result.stderr
