"""``push``: publish a checkpoint on the Hugging Face Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from lnf_core.cli.common import CheckpointName


def push(
    checkpoint: CheckpointName,
    repository: Annotated[str, typer.Argument(metavar="REPOSITORY", help="user/repository; created when missing.")],
    private: Annotated[bool, typer.Option("--private", help="Create it private.")] = False,
    branch: Annotated[str | None, typer.Option(help="An existing branch to push to.")] = None,
    message: Annotated[str | None, typer.Option(help="Commit message.")] = None,
) -> None:
    """Upload a checkpoint to the Hugging Face Hub (log in first: hf auth login)."""
    from lnf_core.storage.find import find_checkpoint
    from lnf_core.storage.hub import push as upload

    commit = upload(find_checkpoint(checkpoint), repository, private=private, branch=branch, message=message)
    typer.echo(f"pushed; load it with lnf_core.load({repository!r}, revision={commit!r})")
