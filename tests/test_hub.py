"""The Hub's own client against a small local Hub: push, fetch, pin, and what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from command_line import run
from hub_server import TOKEN, Hub, running_hub
from tiny_models import save_tiny

from lnf_core.errors import CheckpointError
from lnf_core.storage import find
from lnf_core.storage.bundle import keep_figures
from lnf_core.storage.find import load
from lnf_core.storage.hub import download, push

REPOSITORY = "someone/tiny"


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    with running_hub() as running:
        yield running


def test_what_is_pushed_can_be_fetched(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    model = save_tiny(tmp_path / "mine", metrics={"valid": {"nll": 2.0}})
    (tmp_path / "mine" / "private.txt").write_text("stays here")
    (tmp_path / "mine" / "optimiser.json").write_text("{}")
    commit = push(tmp_path / "mine", REPOSITORY, endpoint=endpoint, token=TOKEN)
    assert server.repositories[REPOSITORY]["main"] == commit
    pushed = set(server.commits[commit]) - {".gitattributes"}
    assert pushed == {"model.safetensors", "config.json", "metrics.json", "README.md"}
    folder = download(REPOSITORY, endpoint=endpoint, cache_dir=tmp_path / "cache")
    assert folder.name == commit
    fetched = load(folder)
    assert fetched.metrics == {"valid": {"nll": 2.0}}
    for name, value in model.state_dict().items():
        assert torch.equal(fetched.model.state_dict()[name], value)


def test_a_revision_is_pinned(hub: tuple[Hub, str], tmp_path: Path) -> None:
    _, endpoint = hub
    save_tiny(tmp_path / "a", "af-af")
    save_tiny(tmp_path / "b", "lstm")
    first = push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    second = push(tmp_path / "b", REPOSITORY, endpoint=endpoint, token=TOKEN)
    cache = tmp_path / "cache"
    variants = [
        load(download(REPOSITORY, revision=revision, endpoint=endpoint, cache_dir=cache)).variant
        for revision in (first, second, "main", None)
    ]
    assert variants == ["af-af", "lstm", "lstm", "lstm"]
    with pytest.raises(CheckpointError, match="no revision v9"):
        download(REPOSITORY, revision="v9", endpoint=endpoint, cache_dir=cache)


def test_figures_of_other_weights_do_not_stay_beside_new_ones(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a", "af-af", metrics={"test": {"nll": 2.1}})
    save_tiny(tmp_path / "b", "lstm")
    push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    commit = push(tmp_path / "b", REPOSITORY, endpoint=endpoint, token=TOKEN)
    assert set(server.commits[commit]) == {".gitattributes", "model.safetensors", "config.json", "README.md"}


def test_the_card_says_how_to_load_what_was_pushed(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a")
    assert 'lnf_core.load("FOLDER")' in (tmp_path / "a" / "README.md").read_text()
    commit = push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    assert f'lnf_core.load("{REPOSITORY}")' in server.commits[commit]["README.md"].decode()


def test_figures_are_not_added_to_a_commit_of_the_hub(
    hub: tuple[Hub, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, endpoint = hub
    save_tiny(tmp_path / "a")
    commit = push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    monkeypatch.setattr(
        find, "download", partial(download, endpoint=endpoint, cache_dir=tmp_path / "cache")
    )  # the client reads its environment while it is imported
    loaded = load(REPOSITORY, revision=commit)
    assert loaded.commit == commit and load(tmp_path / "a").commit is None
    with pytest.raises(CheckpointError, match="measure without --write"):
        keep_figures(loaded, {"valid": {"nll": 1.0}})
    assert not (loaded.path / "metrics.json").exists()
    before = (loaded.path / "README.md").readlink()
    refused = run("card", REPOSITORY, "--write")  # the client draws its bars on stderr
    assert (refused.exit_code, refused.stdout) == (1, "") and "print the card without --write" in refused.stderr
    assert (loaded.path / "README.md").readlink() == before
    assert run("card", REPOSITORY).exit_code == 0


def test_only_the_files_of_a_checkpoint_are_fetched(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a")
    push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    server.commit(REPOSITORY, "main", {"pytorch_model.bin": b"pickled", "run.py": b"print()", "model.pkl": b"pickled"})
    folder = download(REPOSITORY, endpoint=endpoint, cache_dir=tmp_path / "cache")
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert not {"pytorch_model.bin", "run.py", "model.pkl"} & set(server.fetched)


def test_a_download_cut_short_is_named_and_can_be_repeated(
    hub: tuple[Hub, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a")
    push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    server.truncate = {"config.json"}
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # the client waits between its five tries
    with pytest.raises(CheckpointError, match=f"{REPOSITORY} could not be fetched"):
        download(REPOSITORY, endpoint=endpoint, cache_dir=tmp_path / "cache")
    server.truncate = set()
    assert load(download(REPOSITORY, endpoint=endpoint, cache_dir=tmp_path / "cache")).variant == "af-scf"


def test_weights_truncated_at_the_source_are_named(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a")
    commit = push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    weights = server.commits[commit]["model.safetensors"]
    server.commit(REPOSITORY, "main", {"model.safetensors": weights[: len(weights) // 2]})
    with pytest.raises(CheckpointError, match="truncated"):
        load(download(REPOSITORY, endpoint=endpoint, cache_dir=tmp_path / "cache"))


def test_a_repository_that_is_not_there(hub: tuple[Hub, str], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the Hub has no nobody/nothing"):
        download("nobody/nothing", endpoint=hub[1], cache_dir=tmp_path / "cache")


def test_no_network_uses_the_cache_or_says_so(tmp_path: Path) -> None:
    save_tiny(tmp_path / "a")
    with running_hub() as (_, endpoint):
        commit = push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
        folder = download(REPOSITORY, endpoint=endpoint, cache_dir=tmp_path / "cache")
    assert download(REPOSITORY, revision=commit, endpoint=endpoint, cache_dir=tmp_path / "cache") == folder
    with pytest.raises(CheckpointError, match="cannot be reached"):
        download("someone/else", endpoint=endpoint, cache_dir=tmp_path / "cache")


def test_pushing_without_the_right_to_is_named(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a")
    with pytest.raises(CheckpointError, match=f"could not be pushed to {REPOSITORY}.*403"):
        push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token="hf_of_another")
    assert server.repositories == {}


def test_a_broken_checkpoint_is_not_pushed(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a")
    (tmp_path / "a" / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated"):
        push(tmp_path / "a", REPOSITORY, endpoint=endpoint, token=TOKEN)
    assert server.repositories == {}


def test_the_command_line_pushes_and_load_takes_a_hub_id(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    save_tiny(tmp_path / "a", "af-only")
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN}
    environment |= {"OMP_NUM_THREADS": "1"}
    # Of its own, since the client reads its environment while it is imported; one process is enough for both.
    code = (
        "import json, lnf_core\n"
        "from lnf_core.cli import app\n"
        f"app(['push', {str(tmp_path / 'a')!r}, {REPOSITORY!r}], standalone_mode=False)\n"
        f"c = lnf_core.load({REPOSITORY!r}, revision='main')\n"
        "print(json.dumps([c.variant, c.dataset, c.path.name]))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *pushed, loaded = done.stdout.splitlines()
    commit = server.repositories[REPOSITORY]["main"]
    assert commit in "\n".join(pushed)
    assert json.loads(loaded) == ["af-only", "jsb", commit]
