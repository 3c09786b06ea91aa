"""Publishes the page as a Hugging Face Space: ``python -m app.space user/name``."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from app.errors import sentence
from lnf_core.errors import InvalidInputError, LNFError

ROOT = Path(__file__).resolve().parent.parent
FILES = ("app.py", "README.md", "LICENSE", "requirements.txt", "packages.txt")
FOLDERS = ("app", "lnf_core", "checkpoints", "assets")
"""What a Space needs; tests, recipes and documents stay here."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class SpaceError(LNFError):
    """The Space could not be published; says why."""


def publish(
    space: str, root: Path = ROOT, *, private: bool = False, endpoint: str | None = None, token: str | None = None
) -> str:
    """Upload the app to the Space ``space``, which is created when missing, and take away what it no longer has.

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
        SpaceError: files are missing, nobody is logged in, no right to write, or no network.
    """
    from huggingface_hub import HfApi, get_token

    if not _NAME.fullmatch(space):
        raise InvalidInputError(f"{space[:60]!r} is no name of a Space; give user/name, for example ada/latent-flows.")
    missing = [name for name in (*FILES, *FOLDERS) if not (root / name).exists()]
    if missing:
        raise SpaceError(f"{', '.join(missing)} missing: publish from a whole copy of the repository.")
    if not (token or get_token()):
        raise SpaceError("Nobody is logged in: run hf auth login, or set HF_TOKEN to a token that may write.")
    api = HfApi(endpoint=endpoint, token=token)
    try:
        created = api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        api.upload_folder(
            repo_id=space,
            repo_type="space",
            folder_path=root,
            allow_patterns=[*FILES, *(f"{folder}/*" for folder in FOLDERS)],
            ignore_patterns=["*__pycache__*", "*.pyc"],
            delete_patterns=["*"],
            commit_message="The page, from its repository",
        )
    except Exception as error:  # the client lets errors of several HTTP libraries through
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SpaceError(f"{space} could not be published: {lines[0].rstrip('.:')}.") from error
    return str(created)


def main() -> None:
    """Read the options, upload, and say where the Space is."""
    parser = argparse.ArgumentParser(prog="python -m app.space", description="Publish the page as a Space.")
    parser.add_argument("space", metavar="USER/NAME", help="the Space; created when missing")
    parser.add_argument("--private", action="store_true", help="create it private")
    options = parser.parse_args()
    try:
        print(f"Published: {publish(options.space, private=options.private)} (it builds for some minutes)")
    except LNFError as error:
        sys.exit(sentence(error))


if __name__ == "__main__":
    main()
