"""``card``: show or rewrite a checkpoint's model card."""

from __future__ import annotations

from typing import Annotated

import typer

from lnf_core.cli.common import CheckpointName


def card(
    checkpoint: CheckpointName,
    write: Annotated[bool, typer.Option("--write", help="Rewrite the checkpoint's README.md.")] = False,
) -> None:
    """Print a checkpoint's model card as its files describe it."""
    from lnf_core.storage.bundle import card_of, write_card
    from lnf_core.storage.find import find_checkpoint

    folder = find_checkpoint(checkpoint)
    if write:
        typer.echo(f"wrote {write_card(folder)}")
    else:
        typer.echo(card_of(folder), nl=False)
