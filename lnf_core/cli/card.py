"""``card``: show or rewrite a checkpoint's model card."""

from __future__ import annotations

from typing import Annotated

import typer

from lnf_core.cli.common import CheckpointName
from lnf_core.errors import CheckpointError


def card(
    checkpoint: CheckpointName,
    write: Annotated[bool, typer.Option("--write", help="Rewrite the checkpoint's README.md.")] = False,
) -> None:
    """Print a checkpoint's model card as its files describe it."""
    from lnf_core.storage.bundle import card_of, write_card
    from lnf_core.storage.find import locate

    folder, commit = locate(checkpoint)
    if write:
        if commit is not None:
            raise CheckpointError(
                f"{checkpoint} is a commit of the Hub and its copy here is left as it is: print the card without "
                "--write, or put the checkpoint into a folder of your own first (release)."
            )
        typer.echo(f"wrote {write_card(folder)}")
    else:
        typer.echo(card_of(folder), nl=False)
