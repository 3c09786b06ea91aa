"""Publishes the page as a Hugging Face Space: ``python -m app.space user/name``."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from lnf_core.errors import InvalidInputError, LNFError

ROOT = Path(__file__).resolve().parent.parent
FILES = ("app.py", "README.md", "LICENSE", "requirements.txt", "packages.txt")
FOLDERS = ("app", "lnf_core", "checkpoints", "figures", "assets")
"""What a Space needs; tests, recipes and documents stay here."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")


class SpaceError(LNFError):
    """The Space could not be published; says why."""


def publish(
    space: str, root: Path = ROOT, *, private: bool = False, endpoint: str | None = None, token: str | None = None
) -> str:
    """Upload the app to the Space ``space``, which is created when missing, and take away what it no longer has.

    In a clone what git tracks is uploaded, as it lies there; other files stay. Large files go as the Hub wants them.

    Args:
        space: ``user/name``.
        root: a copy of this repository.
        private: whether a Space created now is private.
        endpoint: address of the Hub, when it is not the public one.
        token: access token; that of ``hf auth login`` or ``HF_TOKEN`` when None.

    Returns:
        The address of the Space.

    Raises:
        InvalidInputError: no such name can be.
        SpaceError: files are missing, nobody is logged in, no right to write, or the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    _check_name(space)
    missing = [name for name in (*FILES, *FOLDERS) if not (root / name).exists()]
    if missing:
        raise SpaceError(f"{', '.join(missing)} missing: publish from a whole copy of the repository.")
    if not (token or get_token()):
        raise SpaceError("Nobody is logged in: run hf auth login, or set HF_TOKEN to a token that may write.")
    names = files_of(root)
    api = HfApi(endpoint=endpoint, token=token)
    try:
        created = api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        before = api.list_repo_files(space, repo_type="space")
        api.create_commit(
            space,
            [
                *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=root / name) for name in names),
                *(CommitOperationDelete(name) for name in before if name not in {*names, ".gitattributes"}),
            ],
            repo_type="space",
            commit_message="The page, from its repository",
        )
    except Exception as error:  # the client lets errors of several libraries through
        if any(kind.__name__ == "TransportError" for kind in type(error).__mro__):  # of httpx or of httpx2
            raise SpaceError(f"The Hub at {api.endpoint} cannot be reached: check the connection.") from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SpaceError(f"{space} could not be published: {lines[0].rstrip('.:')}.") from error
    return str(created)


def files_of(root: Path) -> list[str]:
    """What of a copy of this repository goes to a Space: what git tracks; without git, all but compiled files."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--", *FILES, *FOLDERS]
        try:
            listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
        except (OSError, subprocess.CalledProcessError) as error:
            raise SpaceError("git could not list the files of this clone: check that git is installed.") from error
    else:
        found = [path for name in FOLDERS for path in (root / name).rglob("*") if "__pycache__" not in path.parts]
        listed = [*FILES, *(path.relative_to(root).as_posix() for path in found)]
    return sorted(name for name in listed if name and (root / name).is_file())


def _check_name(space: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        if _NAME.fullmatch(space):
            return validate_repo_id(space)  # knows the lesser rules
    except HFValidationError:
        pass
    raise InvalidInputError(
        f"{space[:60]!r} is no name of a Space; give user/name in letters, digits, '-', '_' and '.', "
        "for example ada/latent-flows."
    )


def main() -> None:
    """Read the options, upload, and say where the Space is."""
    parser = argparse.ArgumentParser(prog="python -m app.space", description="Publish the page as a Space.")
    parser.add_argument("space", metavar="USER/NAME", help="the Space; created when missing")
    parser.add_argument("--private", action="store_true", help="create it private")
    options = parser.parse_args()
    try:
        print(f"Published: {publish(options.space, private=options.private)} (it builds for some minutes)")
    except LNFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
