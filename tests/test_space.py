"""The page as a Space: published by the Hub's own client to a small local Hub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_server import TOKEN, Hub, running_hub
from packaging.requirements import Requirement

from app.space import FILES, FOLDERS, SpaceError, publish
from lnf_core.errors import InvalidInputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    with running_hub() as running:
        yield running


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    whole = outside | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | environment
    run = [sys.executable, "-m", "app.space", *arguments]
    return subprocess.run(run, cwd=ROOT, env=whole, capture_output=True, text=True, timeout=120)


def test_the_page_is_published_with_all_it_needs(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    server.create("spaces/ada/flows")
    server.commit("spaces/ada/flows", "main", {"app/gone.py": b"of an earlier version"})
    done = command("ada/flows", HF_ENDPOINT=endpoint, HF_TOKEN=TOKEN, HF_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "spaces/ada/flows" in done.stdout
    assert server.created["spaces/ada/flows"]["sdk"] == "gradio"
    published = server.commits[server.repositories["spaces/ada/flows"]["main"]]
    here = [ROOT / name for name in FILES]
    for folder in FOLDERS:
        here += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert set(published) == {path.relative_to(ROOT).as_posix() for path in here} | {".gitattributes"}
    for path in here:
        assert published[path.relative_to(ROOT).as_posix()] == path.read_bytes(), path
    assert len(server.large) >= 8  # the weights went as large files


def test_what_cannot_be_published_is_said(hub: tuple[Hub, str], tmp_path: Path) -> None:
    _, endpoint = hub
    for name in ("flows", "a/b/c", "../x", "ada/", "https://huggingface.co/spaces/ada/flows"):
        with pytest.raises(InvalidInputError, match="user/name"):
            publish(name, endpoint=endpoint, token=TOKEN)
    with pytest.raises(SpaceError, match=r"app\.py, README\.md"):
        publish("ada/flows", tmp_path, endpoint=endpoint, token=TOKEN)
    with pytest.raises(SpaceError, match="could not be published"):
        publish("ada/flows", endpoint=endpoint, token="wrong")
    nobody = command("ada/flows", HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path))
    assert nobody.returncode == 1 and "hf auth login" in nobody.stderr and "Traceback" not in nobody.stderr


def test_the_front_matter_is_what_a_space_reads() -> None:
    found = re.match(r"---\n(.*?)\n---\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    front = yaml.safe_load(found[1])
    wanted = (
        "title emoji colorFrom colorTo sdk sdk_version python_version app_file short_description models datasets tags"
    )
    assert set(wanted.split()) <= set(front)
    assert front["sdk"] == "gradio" and (ROOT / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60 and front["python_version"] in ("3.10", "3.12")
    pinned = re.search(r"^gradio==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None and front["sdk_version"] == pinned[1]
    torch = next(line for line in (ROOT / "requirements.txt").read_text().split() if line.startswith("torch"))
    assert all(Requirement(torch).specifier.contains(version) for version in ("2.8.0", "2.11.0"))  # what ZeroGPU has
