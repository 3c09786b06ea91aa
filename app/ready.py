"""The samples that are on the page before the first click.

They lie in ``assets/ready`` and were drawn from the bundled checkpoints by ``python -m app.ready``, which runs the
command line for the MIDI. Where they are missing, the first checkpoint that works is sampled while the app starts.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import lnf_core
from app import catalogue
from app.fields import Settings
from app.services.sampled import Line, Music, Result, Text
from app.services.sampling import Sampling
from lnf_core import engines
from lnf_core.analysis import MusicStatistics, music_statistics, unlikeness
from lnf_core.music import Performance, piano_keys

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "ready"
_MUSIC: dict[str, Any] = {"length": 64, "count": 3, "seed": 1685, "temperature": 1.0}
_TRIED = range(1, 1001)
_TEXT = {"length": None, "count": 6, "seed": 1993, "temperature": 0.8}


def music(sampling: Sampling, folder: Path) -> Music | None:
    """The ready-made music, None when there is nothing to draw it from."""
    values = _read("music.json")
    if values is None:
        return _drawn_now(sampling, folder, "music", _MUSIC)
    settings = Settings(**values["settings"])
    performance = Performance(settings.checkpoint.split("/")[0])
    return sampling.music(settings, [performance.read(FOLDER / name).roll for name in values["files"]], folder)


def text(sampling: Sampling, folder: Path) -> Text | None:
    """The ready-made lines; None when there is nothing to draw them from."""
    values = _read("text.json")
    if values is None:
        return _drawn_now(sampling, folder, "text", _TEXT)
    lines = [Line(tuple(line["symbols"]), tuple(line["sureness"])) for line in values["lines"]]
    return sampling.text(Settings(**values["settings"]), lines, folder)


def _drawn_now(sampling: Sampling, folder: Path, domain: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 - by domain
    entry = catalogue.first(domain)
    if entry is None:
        return None
    try:
        result: Result = sampling.sample(Settings.check(entry.name, **{**values, "length": None, "count": 1}), folder)
    except lnf_core.LNFError:
        return None  # the page still opens; choosing this model says what is wrong with it
    return dataclasses.replace(result, drawn=None)


def _read(name: str) -> dict[str, Any] | None:
    try:
        values: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return values


# Making them ----------------------------------------------------------------------------------------------------


def make_music(name: str) -> None:
    """Run ``python -m lnf_core sample`` and keep its MIDI files."""
    settings = Settings.check(name, **{**_MUSIC, "seed": _best_seed(name)})
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        command = [sys.executable, "-m", "lnf_core", "sample", name, "--out", made, "--json"]
        command += ["--count", str(settings.count), "--length", str(settings.length)]
        command += ["--seed", str(settings.seed), "--temperature", str(settings.temperature)]
        command += [] if settings.draw else ["--argmax"]
        subprocess.run(command, check=True, capture_output=True)
        files = []
        for index, path in enumerate(sorted(Path(made).rglob("*.mid"))):
            files.append(f"music-{index + 1}.mid")
            (FOLDER / files[-1]).write_bytes(path.read_bytes())
    _write("music.json", {"settings": dataclasses.asdict(settings), "files": files})


def _best_seed(name: str) -> int:
    """The seed whose three pieces, the worst of them, are most like the training data by their statistics."""
    checkpoint = lnf_core.load(name)
    data = MusicStatistics.from_dict(checkpoint.metrics["statistics"]["data"])
    sampler = engines.prepare(checkpoint.model)

    def worst(seed: int) -> float:
        drawn = checkpoint.model.sample(
            _MUSIC["count"],
            _MUSIC["length"],
            argmax=True,
            generator=torch.Generator().manual_seed(seed),
            engine=sampler,
        )
        return max(unlikeness(music_statistics([piano_keys(roll)]), data) for roll in drawn)

    return min(_TRIED, key=worst)


def make_text(name: str) -> None:
    """Draw lines and keep them with the probability of each character, which the command line does not print."""
    with tempfile.TemporaryDirectory() as made:
        result = Sampling().sample(Settings.check(name, **_TEXT), Path(made))
    if not isinstance(result, Text):
        raise lnf_core.InvalidInputError(f"{name} is no text model; give a checkpoint such as ptb/af-scf.")
    lines = [
        {"symbols": list(line.symbols), "sureness": [float(f"{value:.3g}") for value in line.sureness]}
        for line in result.lines
    ]
    _write("text.json", {"settings": dataclasses.asdict(result.settings), "lines": lines})


def _write(name: str, values: dict[str, Any]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    working = {entry.name for entry in catalogue.catalogue() if entry.problem is None}
    for checkpoint, make in (("jsb/af-scf", make_music), ("ptb/af-scf", make_text)):
        if checkpoint in working:
            make(checkpoint)
            print(f"Made assets/ready for {checkpoint}.")
        else:
            print(f"{checkpoint} is not there: its ready-made sample is left as it is.")
