"""``python -m lnf_core data``: download and check the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lnf_core.cli.common import path_option
from lnf_core.errors import LNFError

app = typer.Typer(help="Download and check the data sets.", no_args_is_help=True)

_Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAMES]...", help="Names of data sets (jsb, ptb); all of them by default."),
]
_Root = Annotated[
    Path | None,
    path_option("Folder of the data files; by default LNF_DATA_DIR, else your cache folder.", "--root"),
]


@app.command("download")
def download_command(
    names: _Names = None,
    root: _Root = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Folder of a mirror to fetch from; the files must be the same.")
    ] = None,
) -> None:
    """Fetch the data sets from their public copies and check their SHA-256."""
    from lnf_core.data import DATASETS, data_root, dataset_info, download

    for info in [dataset_info(name) for name in names or DATASETS]:
        typer.echo(f"{info.title}: fetching into {data_root(root)}")
        for path in download(info.name, root, base_url=url).values():
            typer.echo(f"  {path}: intact")
        typer.echo(f"  {info.credit}. Licence: {info.licence}.")


@app.command("verify")
def verify_command(names: _Names = None, root: _Root = None) -> None:
    """Check the SHA-256 of the data files on this machine."""
    from lnf_core.data import DATASETS, verify

    failed = False
    for name in names or DATASETS:
        try:
            for path in verify(name, root).values():
                typer.echo(f"{path}: intact")
        except LNFError as error:
            # The others are still checked: one run shows everything there is to repair.
            typer.echo(str(error), err=True)
            failed = True
    if failed:
        raise typer.Exit(1)
