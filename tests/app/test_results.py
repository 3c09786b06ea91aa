"""Results: what the page says of each checkpoint is what its own file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import save_tiny

from app.build import build_app
from app.services import results
from lnf_core.comparison import REPORTED, compare_bundled, compare_seeds
from lnf_core.storage.bundled import list_checkpoints

FIGURES = Path(__file__).resolve().parents[2] / "figures"


def test_the_figures_are_those_of_the_checkpoints_files() -> None:
    files = {entry.name: entry.path / "metrics.json" for entry in list_checkpoints() if entry.problem is None}
    alone = [file for file in FIGURES.glob("*/*/metrics.json") if ".seed" not in file.parent.name]
    files |= {"/".join(file.parts[-3:-1]): file for file in alone}  # weights that may not be passed on
    rows = {row.name: row for row in compare_bundled()}
    shown = results.figures()["rows"]
    assert len(shown) == len(rows) == len(files)
    for name, file in files.items():
        written = json.loads(Path(file).read_text())
        key = "bpc" if name.startswith("ptb") else "nll"
        row = rows[name]
        assert (row.valid, row.test) == (written["valid"][key], written["test"][key])
        assert row.reported == REPORTED.get(name.split("/")[1], {}).get(name.split("/")[0])
        cells = next(line["cells"] for line in shown if line["cells"][0] == f"{row.data}, {row.model}")
        assert cells[2:4] == [f"{row.valid:.3f}", f"{row.test:.3f}"]
        assert cells[4] == ("—" if row.reported is None else f"{row.reported:.2f}")
        assert cells[5:7] == [str(written["valid"]["samples"]), f"{written['parameters'] / 1e6:.1f} M"]


def test_the_statistics_are_those_of_the_checkpoints_files() -> None:
    rows = {f"{row.data}, {row.model}": row.metrics.get("statistics") for row in compare_bundled()}
    music, text = results.habits()
    for table, numbers in ((music, "notes"), (text, "word_length")):
        at = {"notes": 1, "word_length": 2}[numbers]
        pairs = zip([None, *table["rows"]], table["rows"], strict=False)
        for before, shown in pairs:
            if shown["group"]:
                continue
            statistics = rows[shown["cells"][0]]
            sides = [(shown["cells"], "samples", "samples")]
            if before and before["group"]:  # the data, as the first model's file has it
                sides.append((before["cells"], "data", "held_out"))
            for cells, side, copied in sides:
                assert cells[at] == f"{statistics[side][numbers]:.2f}"
                copies = statistics.get("copies", {}).get(copied)  # what figures alone are here of has none
                assert cells[-1] == (f"{copies['share']:.1%}" if copies else "—")
    known = {row["cells"][0]: row["cells"][1] for row in text["rows"] if not row["group"]}
    assert all(words == f"{rows[name]['samples']['known_words']:.0%}" for name, words in known.items())


def test_a_data_set_begins_with_its_first_row_and_what_is_bold_is_the_test() -> None:
    shown = results.figures()
    data = [row["cells"][0].split(",")[0] for row in shown["rows"]]
    assert [row["group"] for row in shown["rows"]] == [name not in data[:at] for at, name in enumerate(data)]
    assert {shown["columns"][at]["label"] for row in shown["rows"] for at in row["best"]} == {"Test"}
    jsb = [row["variant"] for row in shown["rows"] if row["cells"][0].startswith("JSB")]
    assert jsb[:4] == ["af-af", "af-scf", "iaf-scf", "lstm"]


def test_only_what_is_below_the_paper_is_marked() -> None:
    reached = {(row.data, row.model) for row in compare_bundled() if (row.test or 9) < (row.reported or 0)}
    marked = {tuple(row["cells"][0].split(", ", 1)) for row in results.figures()["rows"] if row["best"]}
    assert marked == reached and reached


def test_statistics_stand_beside_those_of_the_data() -> None:
    for table in results.habits():
        heads = [row for row in table["rows"] if row["group"]]
        assert heads and all(row["cells"][0].endswith("the data") for row in heads)
        assert all(len(row["cells"]) == len(table["columns"]) for row in table["rows"])
    for table in [results.figures(), *results.habits()]:
        data = [row["cells"][0].split(",")[0].split(":")[0] for row in table["rows"]]
        assert [name for at, name in enumerate(data) if name not in data[:at]] == [
            name for at, name in enumerate(data) if at == 0 or name != data[at - 1]
        ], "a data set stands in two places"


def test_a_checkpoint_without_figures_has_none_on_the_page(here: Path) -> None:
    assert here.is_dir()  # models that were never measured stand in for three of the released ones
    rows = {row["cells"][0]: row["cells"] for row in results.figures()["rows"]}
    assert all(rows[f"JSB Chorales, {model}"][2:4] == ["—", "—"] for model in ("AF/AF", "AF/SCF", "IAF/SCF"))


def test_a_data_set_of_ones_own_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(tmp_path / "folksongs" / "lstm", "lstm", dataset="folksongs", metrics={"valid": {"nll": 7.5}})
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    cells = next(row["cells"] for row in results.figures()["rows"] if row["cells"][0].startswith("folksongs"))
    assert cells[:4] == ["folksongs, LSTM baseline", "nats/step", "7.500", "—"]


def test_no_figures_stop_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = {
        "af-af": {"statistics": {}},
        "af-scf": {"valid": 3},
        "iaf-scf": {"statistics": {"samples": {}, "data": {"more": 1.0}}},
    }
    for variant, metrics in damaged.items():
        save_tiny(tmp_path / "jsb" / variant, variant)
        (tmp_path / "jsb" / variant / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    assert results.figures()["rows"] and results.habits()
    build_app()


@pytest.mark.parametrize("name", [entry.name for entry in list_checkpoints()])
def test_every_released_checkpoint_has_its_figures_and_statistics(name: str) -> None:
    row = next(row for row in compare_bundled() if row.name == name)
    assert row.valid is not None and row.test is not None and "copies" in row.metrics["statistics"]


def test_every_model_whose_figures_alone_are_here_was_measured_on_both_splits() -> None:
    assert all(row.valid is not None and row.test is not None for row in compare_bundled())


def test_seeds_are_those_of_the_files() -> None:
    for spread in compare_seeds():
        files = sorted(FIGURES.glob(f"{spread.name}.seed*/metrics.json"))
        if files[0].parent.name != f"{spread.name.split('/')[1]}.seed0":  # it is the release that is there
            files.insert(0, FIGURES.parent / "checkpoints" / spread.name / "metrics.json")
        assert len(files) > 1
        assert spread.valid == tuple(json.loads(file.read_text())["valid"]["nll"] for file in files)
        assert min(spread.valid) <= spread.mean <= max(spread.valid)
        middle = sum(spread.valid) / len(spread.valid)
        squares = sum((value - middle) ** 2 for value in spread.valid)
        assert spread.deviation == pytest.approx((squares / (len(files) - 1)) ** 0.5)
