"""The page as a Space: published by the Hub's own client to a small local Hub, served from there, and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from app_server import serving
from gradio_client import Client
from hub_server import TOKEN, Hub, running_hub
from packaging.requirements import Requirement
from tiny_models import save_tiny

from app.space import FILES, FOLDERS, SpaceError, files_of, publish
from lnf_core.errors import InvalidInputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    with running_hub() as running:
        yield running


def command(*arguments: str, root: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    whole = outside | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | environment
    run = [sys.executable, "-m", "app.space", *arguments]
    return subprocess.run(run, cwd=root, env=whole, capture_output=True, text=True, timeout=120)


def small_copy(folder: Path) -> Path:
    """A clone of what a Space needs, with one small checkpoint."""
    for name in ("app", "lnf_core", "figures", "assets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    save_tiny(folder / "checkpoints" / "ptb" / "af-scf", "af-scf", "text")
    for arguments in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A Hub to which this repository was published, in place of an earlier version."""
    with running_hub() as (server, endpoint):
        server.create("spaces/ada/flows")
        server.commit("spaces/ada/flows", "main", {"app/gone.py": b"of an earlier version"})
        home = str(tmp_path_factory.mktemp("home"))
        done = command("ada/flows", HF_ENDPOINT=endpoint, HF_TOKEN=TOKEN, HF_HOME=home)
        assert done.returncode == 0, done.stderr
        assert "spaces/ada/flows" in done.stdout
        yield server


@pytest.fixture(scope="module")
def page(whole: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page as the Space serves it, with the checkpoints that come with it."""
    space = tmp_path_factory.mktemp("space")
    for name, content in published(whole).items():
        (space / name).parent.mkdir(parents=True, exist_ok=True)
        (space / name).write_bytes(content)
    environment = {"LNF_CHECKPOINTS": "", "PYTHONPATH": str(space)}
    with serving(space, tmp_path_factory.mktemp("served"), **environment) as address:
        yield address


def published(server: Hub) -> dict[str, bytes]:
    return server.commits[server.repositories["spaces/ada/flows"]["main"]]


def test_the_page_is_published_with_all_it_needs(whole: Hub) -> None:
    assert whole.created["spaces/ada/flows"]["sdk"] == "gradio"
    files = published(whole)
    assert set(files) == {*files_of(ROOT), ".gitattributes"}
    assert {name.split("/")[0] for name in files} == {*FILES, *FOLDERS, ".gitattributes"}
    for name in files_of(ROOT):
        assert files[name] == (ROOT / name).read_bytes(), name
    weights = [name for name in files if name.endswith(".safetensors")]
    assert len(weights) >= 8 and len(whole.large) == len(weights)  # the weights went as large files


@pytest.mark.slow
def test_what_was_published_serves_the_page(page: str, tmp_path: Path) -> None:
    client = Client(page, verbose=False, download_files=str(tmp_path / "downloads"))
    assert "ptb/af-scf" in {model["name"] for model in client.predict(api_name="/models")}
    _, _, lines = client.predict("ptb/af-scf", length="9", count=2, seed="1", api_name="/sample")
    assert [len(line["symbols"]) for line in lines["lines"]] == [9, 9]


@pytest.mark.parametrize("document", ["README.md", "docs/app.md"])
def test_the_examples_for_programs_run(
    page: str, document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "gradio_client" in block]
    assert "http://127.0.0.1:7860" in example
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    found: dict[str, Any] = {}
    exec(compile(example.replace("http://127.0.0.1:7860", page), document, "exec"), found)
    assert len(found["roll"]["samples"]) >= 1 and found["done"]["kind"] == "done"
    assert Path(found["roll"]["samples"][0]["midi"]).read_bytes().startswith(b"MThd")
    if document == "README.md":
        assert found["roll"]["given"] > 0 and found["cloud"]["step"] == 4 and found["tables"][0]["rows"]
        assert {"jsb/af-scf", "ptb/lstm"} <= {model["name"] for model in found["models"]}
        assert "MuseData" in str(found["tables"])  # whose figures travel without weights


def test_the_docs_name_all_that_is_uploaded() -> None:
    said = (ROOT / "docs" / "deploy.md").read_text("utf-8").partition("What is uploaded")[2].partition("\n\n")[0]
    wanted = {*(f"`{name}/`" for name in FOLDERS), *(f"`{name}`" for name in FILES if name != "LICENSE"), "licence"}
    assert {name for name in wanted if name not in said} == set()


def test_what_git_does_not_track_stays_here_and_a_page_can_be_private(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    copy = small_copy(tmp_path / "copy")
    (copy / "app" / "notes.txt").write_text("not tracked: stays here")
    (copy / "app" / ".env").write_text("PASSWORD=1")
    home = str(tmp_path / "home")
    done = command("ada/flows", "--private", root=copy, HF_ENDPOINT=endpoint, HF_TOKEN=TOKEN, HF_HOME=home)
    assert done.returncode == 0, done.stderr
    asked = server.created["spaces/ada/flows"]
    assert asked.get("visibility") == "private" or asked.get("private") is True  # newer and older clients
    assert not {"app/notes.txt", "app/.env"} & set(published(server))


def test_a_copy_without_git_is_published_without_compiled_files(tmp_path: Path) -> None:
    copy = small_copy(tmp_path)
    tracked = files_of(copy)
    shutil.rmtree(copy / ".git")
    (copy / "app" / "__pycache__").mkdir()
    (copy / "app" / "__pycache__" / "build.pyc").write_bytes(b"compiled")
    assert files_of(copy) == tracked


def test_what_cannot_be_published_is_said(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    wrong = ["", "flows", "a/b/c", "../x", "ada/", "https://huggingface.co/spaces/ada/flows", "ada/flüsse", "ada/a..b"]
    for name in [*wrong, "ada/flows\n", "ada/" + "x" * 100]:
        with pytest.raises(InvalidInputError, match="user/name"):
            publish(name, endpoint=endpoint, token=TOKEN)
    with pytest.raises(SpaceError, match=r"app\.py, README\.md"):
        publish("ada/flows", tmp_path, endpoint=endpoint, token=TOKEN)
    with pytest.raises(SpaceError, match=r"ada/flows could not be published: .*403"):
        publish("ada/flows", endpoint=endpoint, token="wrong")
    nobody = command("ada/flows", HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path))
    assert nobody.returncode == 1 and "hf auth login" in nobody.stderr and "Traceback" not in nobody.stderr
    assert server.repositories == {}


def test_a_hub_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with running_hub() as (_, endpoint):
        pass  # nobody listens there any more
    done = command("ada/flows", HF_ENDPOINT=endpoint, HF_TOKEN=TOKEN, HF_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"The Hub at {endpoint} cannot be reached: check the connection.\n"


def test_the_front_matter_is_what_a_space_reads() -> None:
    found = re.match(r"---\n(.*?)\n---\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    front = yaml.safe_load(found[1])
    wanted = (
        "title emoji colorFrom colorTo sdk sdk_version python_version app_file short_description models datasets tags"
    )
    assert set(wanted.split()) <= set(front)
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front["colorFrom"], front["colorTo"]} <= colours
    assert all(isinstance(front[field], list) for field in ("models", "datasets", "tags")) and front["tags"]
    assert front["sdk"] == "gradio" and (ROOT / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60 and front["python_version"] in ("3.10", "3.12")
    pinned = re.search(r"^gradio==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None and front["sdk_version"] == pinned[1]
    torch = next(line for line in (ROOT / "requirements.txt").read_text().split() if line.startswith("torch"))
    assert all(Requirement(torch).specifier.contains(version) for version in ("2.8.0", "2.11.0"))  # what ZeroGPU has
