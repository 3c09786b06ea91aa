"""The command line: what sampling writes, how commands fail."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch
from command_line import failed, run
from pretty_midi import Instrument, Note
from tiny_models import SYMBOLS, save_tiny, tiny_config

import lnf_core.storage.bundle
from lnf_core.models.build import build_model
from lnf_core.music import Performance
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.find import load


@pytest.mark.parametrize("variant", ["af-af", "lstm"])
def test_music_is_written_as_midi_and_sound(tmp_path: Path, variant: str) -> None:
    save_tiny(tmp_path / "c", variant)
    result = run("sample", tmp_path / "c", "--count", 2, "--length", 6, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["lengths"] == [6, 6]
    assert said["synthesizer"] in ("fluidsynth", "sine")
    assert said["engine"] == "eager"
    assert said["dependent_steps"] == 6
    assert [Path(name).suffix for name in said["files"]] == [".mid", ".wav", ".mid", ".wav"]
    for name in said["files"]:
        if name.endswith(".mid"):
            assert pretty_midi.PrettyMIDI(name).get_end_time() <= 6 * 60 / 96 + 1e-6  # a step of the chorales is a beat
        else:
            with wave.open(name) as sound:
                assert (sound.getframerate(), sound.getsampwidth()) == (44100, 2)
                assert sound.getnframes() > 0


def test_tempo_instrument_and_the_data_sets_pitch_reach_the_file(tmp_path: Path) -> None:
    heard = {}
    for dataset in ("jsb", "nottingham"):  # a step is a beat and an octave lower, or half a beat as it stands
        save_tiny(tmp_path / dataset, "af-scf", dataset=dataset)
        options = ["--length", 6, "--tempo", 120, "--program", 19, "--out", tmp_path / "out", "--json"]
        said = json.loads(run("sample", tmp_path / dataset, *options).stdout)
        midi = pretty_midi.PrettyMIDI(next(name for name in said["files"] if name.endswith(".mid")))
        assert midi.get_tempo_changes()[1] == pytest.approx([120.0], rel=1e-4)
        (instrument,) = midi.instruments
        assert instrument.program == 19
        heard[dataset] = sorted((note.pitch, note.start, note.end) for note in instrument.notes)
    assert len(heard["jsb"]) > 10
    expected = [(pitch - 12, 2 * start, 2 * end) for pitch, start, end in heard["nottingham"]]
    assert np.array(heard["jsb"]) == pytest.approx(np.array(expected), abs=1e-3)


def test_text_is_written_as_text(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c", domain="text")
    result = run("sample", tmp_path / "c", "--count", 3, "--out", tmp_path / "out", "--json")
    said = json.loads(result.stdout)
    assert said["synthesizer"] is None
    assert len(said["files"]) == len(said["lengths"]) == 3
    expected = load(tmp_path / "c").model.sample(3, generator=torch.Generator().manual_seed(0))
    for index, name in enumerate(said["files"]):
        assert Path(name).read_text() == SYMBOLS.decode(expected.sequence(index)) + "\n"


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_text_is_gone_on_from(tmp_path: Path, variant: str) -> None:
    save_tiny(tmp_path / "c", variant, domain="text")
    begin = SYMBOLS.decode([2, 3, 4])
    options = ["--begin", begin, "--length", 9, "--count", 2, "--out", tmp_path / "out", "--json"]
    said = json.loads(run("sample", tmp_path / "c", *options).stdout)
    texts = [Path(name).read_text().removesuffix("\n") for name in said["files"]]
    assert (said["begun"], said["remark"], said["lengths"]) == (3, "", [9, 9]) and all(
        text.startswith(begin) for text in texts
    )
    assert texts[0] != texts[1]
    failed(run("sample", tmp_path / "c", *options[:2], "--out", tmp_path / "out"), "give --length")
    failed(run("sample", tmp_path / "c", "--begin", "Ω", *options[2:]), "'Ω' at position 0")
    failed(run("sample", tmp_path / "c", "--begin", "", *options[2:]), "the prefix has 0 steps")


def test_music_is_gone_on_from_its_first_note_in_the_models_key(tmp_path: Path) -> None:
    tune = torch.zeros(9, 88)
    tune[3:, 60] = 1.0  # three steps of rest come first
    midi = Performance("jsb").midi(tune)
    midi.instruments.append(Instrument(0, is_drum=True))
    midi.instruments[-1].notes.append(Note(velocity=90, pitch=38, start=3.0, end=3.2))
    midi.write(str(tmp_path / "tune.mid"))
    options = ["--begin", tmp_path / "tune.mid", "--begin-steps", 4, "--length", 7, "--out", tmp_path / "out"]
    for variant, keys in (("af-scf", 88), ("lstm", 89)):  # 89: the paper's silent output first
        model = build_model(replace(tiny_config(variant), vocab_size=keys), torch.ones(13)).eval()
        save_checkpoint(tmp_path / variant, model, dataset="jsb", vocabulary=None, training={})
        said = json.loads(run("sample", tmp_path / variant, *options, "--json").stdout)
        assert (said["begun"], said["lengths"]) == (4, [7])
        assert "of its 6 steps the first 4 are used; 1 drum note left out" in said["remark"]
        found = Performance("jsb").read(Path(said["files"][0])).roll[:4]
        (moved,) = {tuple(step.nonzero().flatten().tolist()) for step in found}
        assert len(moved) == 1 and abs(moved[0] - 60) <= 6
        spoken = run("sample", tmp_path / variant, *options).stdout
        assert (f"by {abs(moved[0] - 60)} semitone" in spoken) is (moved[0] != 60)
        assert "of its 6 steps the first 4 are used; 1 drum note left out" in spoken
    failed(run("sample", tmp_path / "lstm", "--begin", tmp_path / "none.mid", *options[2:]), "none.mid")


def test_equal_seeds_give_equal_files_and_others_differ(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c", domain="text")
    texts = []
    for folder, seed in (("a", 5), ("b", 5), ("d", 6)):
        result = run("sample", tmp_path / "c", "--length", 12, "--seed", seed, "--out", tmp_path / folder, "--json")
        texts.append(Path(json.loads(result.stdout)["files"][0]).read_text())
    assert texts[0] == texts[1] != texts[2]


def test_two_checkpoints_of_one_variant_write_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("models/ptb/lstm", "models/ptb/lstm-beta", "runs/a/1-first/best", "runs/b/1-first/best"):
        save_tiny(tmp_path / folder, "lstm", domain="text", dataset="ptb")
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path / "runs")
    names = {
        "ptb/lstm": "ptb-lstm",
        "ptb/lstm-beta": "ptb-lstm-beta",
        "a/1-first/best": "a-1-first-best",
        "./b/1-first/best/": "b-1-first-best",
        "../models/ptb/lstm": "models-ptb-lstm",
    }
    for given in names:
        assert run("sample", given, "--length", 3, "--seed", 4, "--out", tmp_path / "out").exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}-seed4-1.txt" for name in names.values()}


def test_a_checkpoint_without_a_name_is_called_after_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny(tmp_path / "c", domain="text")
    monkeypatch.chdir(tmp_path / "c")
    said = json.loads(run("sample", ".", "--length", 3, "--out", tmp_path / "out", "--json").stdout)
    (file,) = map(Path, said["files"])
    assert file.name.endswith(f"{tmp_path.name}-c-seed0-1.txt") and not file.name.startswith(("-", "."))


def test_a_long_path_in_any_script_leaves_room_in_the_name(tmp_path: Path) -> None:
    place = Path("𠀀" * 40) / ("𠀀" * 40)  # four bytes each
    save_tiny(tmp_path / place, domain="text")
    done = run("sample", tmp_path / place, "--length", 3, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    (file,) = map(Path, json.loads(done.stdout)["files"])
    assert file.name.endswith("𠀀-seed0-1.txt") and file.is_file()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--temperature", "nan", "temperature is nan"),
        ("--temperature", "-1", "temperature is -1"),
        ("--temperature", "0", "temperature is 0"),
        ("--length", "0", "length of 0"),
        ("--length", "1000000", "length of 1000000"),
        ("--count", "0", "count is 0"),
        ("--count", "1000000000", "count is 1000000000"),
        ("--tempo", "0", "empo"),
        ("--program", "128", "128"),
        ("--device", "abacus", "abacus"),
    ],
)
def test_arguments_out_of_range_are_one_sentence(tmp_path: Path, option: str, value: str, words: str) -> None:
    save_tiny(tmp_path / "c")
    failed(run("sample", tmp_path / "c", "--out", tmp_path / "out", option, value), words)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c")
    (tmp_path / "file").write_text("in the way")
    failed(
        run("sample", tmp_path / "c", "--length", 3, "--out", tmp_path / "file"), "a file is in the way; name another"
    )


def test_folders_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    save_tiny(tmp_path / "c")
    for arguments in (("release", "~/c", "~/d"), ("sample", "~/d", "--length", 5, "--out", "~/out")):
        assert run(*arguments).exit_code == 0
    begun = run("sample", "~/d", "--length", 6, "--begin", "~/out/d-seed0-1.mid", "--begin-steps", 2, "--out=~/out")
    assert begun.exit_code == 0, begun.output
    assert not (tmp_path / "~").exists()
    save_tiny(tmp_path / "e", metrics={"test": {"nll": 1.0}})
    failed(run("release", "~/c", "~/e"), "--force")


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(tmp_path / "c")

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write says it, without a name

    monkeypatch.setattr(lnf_core.storage.bundle, "card_of", full)
    failed(run("card", tmp_path / "c"), "No space left")


def test_a_warning_is_one_sentence(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c", domain="text")
    result = run("sample", tmp_path / "c", "--length", 2, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("Warning: a length of 2 was asked for")


def test_a_missing_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    failed(run("evaluate", tmp_path / "none", "--json"), "there is no checkpoint")
    failed(run("sample", "jsb/no-such", "--out", tmp_path), "there is no checkpoint jsb/no-such")


def test_wrong_usage_is_status_2(tmp_path: Path) -> None:
    assert run("sample", tmp_path).exit_code == 2
    assert run("evaluate", tmp_path, "--split", "train").exit_code == 2
    assert run("sample", tmp_path, "--out", tmp_path, "--seed", 2**63).exit_code == 2
    assert run("no-such-command").exit_code == 2


def test_the_module_runs_and_shows_no_traceback() -> None:
    command = [sys.executable, "-m", "lnf_core", "evaluate", "jsb/no-such-ä🎵"]
    narrow = {**os.environ, "PYTHONIOENCODING": "cp1252"}  # as where output is redirected on Windows
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="cp1252", env=narrow)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no-such-ä\\U0001f3b5" in done.stderr
    assert "Traceback" not in done.stderr
