"""Checkpoints on the Hugging Face Hub: fetch one at a pinned revision, push one.

Only safetensors, JSON and the card travel; nothing that would have to be unpickled is fetched.
The client reads ``HF_ENDPOINT``, ``HF_HOME`` and the token of ``hf auth login`` by itself.
"""

from __future__ import annotations

from pathlib import Path

from lnf_core.errors import CheckpointError
from lnf_core.storage.bundle import card_of, read_checkpoint
from lnf_core.storage.files import CARD, CONFIG, METRICS, WEIGHTS, from_home

_FETCHED = ["*.safetensors", "*.json", CARD]


def download(
    repo_id: str, *, revision: str | None = None, endpoint: str | None = None, cache_dir: Path | None = None
) -> Path:
    """Fetch a checkpoint and return its folder, named after the commit it is pinned to.

    Args:
        repo_id: ``user/repository``.
        revision: branch, tag or commit; the main branch when None.
        endpoint: address of the Hub, when it is not the public one.
        cache_dir: where downloads are kept; the Hub client's own cache when None.

    Raises:
        CheckpointError: no such repository or revision, no network and nothing cached, or an incomplete download.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repo_id, revision=revision, allow_patterns=_FETCHED, endpoint=endpoint, cache_dir=cache_dir
            )
        )
    # The client lets errors of several HTTP libraries through; all of them mean that there is no checkpoint.
    except Exception as error:
        raise CheckpointError(_fetch_failed(repo_id, revision, error)) from error


def push(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    branch: str | None = None,
    message: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> str:
    """Upload a checkpoint's files to ``repo_id``, which is created when missing.

    The checkpoint is loaded first, so that nothing broken is published. Figures of what stood there before go, and the
    card says how to load it from there.

    Args:
        folder: a checkpoint's folder.
        repo_id: ``user/repository``.
        private: whether a repository created now is private.
        branch: an existing branch to push to; the main branch when None.
        message: the commit message.
        endpoint: address of the Hub, when it is not the public one.
        token: access token; the one stored by ``hf auth login`` when None.

    Returns:
        The new commit's id: pass it as ``revision`` to load exactly these files.

    Raises:
        CheckpointError: a checkpoint that does not load, no right to write, or no network.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    folder = from_home(folder)
    checkpoint = read_checkpoint(folder)
    api = HfApi(endpoint=endpoint, token=token)
    changes: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(CARD, card_of(folder, load_as=repo_id).encode()),
        *(CommitOperationAdd(name, folder / name) for name in (WEIGHTS, CONFIG, METRICS) if (folder / name).exists()),
    ]
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if not (folder / METRICS).exists() and api.file_exists(repo_id, METRICS, revision=branch):
            changes.append(CommitOperationDelete(METRICS))  # figures of the weights that stood there before
        commit = api.create_commit(
            repo_id,
            changes,
            revision=branch,
            commit_message=message or f"Checkpoint {checkpoint.dataset}/{checkpoint.variant}",
        )
    except Exception as error:  # as in download
        raise CheckpointError(f"{folder} could not be pushed to {repo_id}: {_reason(error)}.") from error
    return str(commit.oid)


def _fetch_failed(repo_id: str, revision: str | None, error: Exception) -> str:
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, RevisionNotFoundError):
        return f"{repo_id} on the Hub has no revision {revision}; name a branch, tag or commit it has."
    if isinstance(error, RepositoryNotFoundError):
        return f"the Hub has no {repo_id}, or it is private: check the name, or log in with hf auth login."
    if isinstance(error, HFValidationError):
        return f"{repo_id} is no bundled checkpoint, no folder and no valid Hub id (user/repository)."
    if isinstance(error, LocalEntryNotFoundError):
        return f"{repo_id} is not cached here and the Hub cannot be reached: check the connection and try again."
    return f"{repo_id} could not be fetched from the Hub: {_reason(error)}; try again."


def _reason(error: Exception) -> str:
    """The first line of the client's words, which can run to a page."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
