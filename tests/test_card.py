"""Model cards and result tables say what the files say, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from command_line import run
from tiny_models import save_tiny

from lnf_core.cli.tables import comparison, details, seeds, write_sections
from lnf_core.comparison import REPORTED, Spread, compare, compare_seeds
from lnf_core.errors import InvalidInputError
from lnf_core.storage.bundled import list_checkpoints
from lnf_core.storage.card import dataset_title, model_card, variant_title
from lnf_core.storage.files import read_config

FIGURES = {
    "valid": {
        "sequences": 76,
        "samples": 30,
        "nll": 6.789,
        "nll_per_step": 6.9,
        "negative_elbo": 7.1,
        "kl": 7.0,
        "bpc": None,
    },
    "test": {
        "sequences": 77,
        "samples": 30,
        "nll": 6.543,
        "nll_per_step": 6.6,
        "negative_elbo": 6.8,
        "kl": 6.7,
        "bpc": None,
    },
    "epochs": 12,
    "minutes": 34.5,
    "device": "cpu",
    "parameters": 12345,
}


STATISTICS = {
    "samples": {"known_words": 0.5, "word_length": 4.0, "words": 9},
    "data": {"known_words": 1.0, "word_length": 4.5, "words": 90},
    "copies": {
        "samples": {"passage": 20, "share": 0.0125, "longest": 31},
        "held_out": {"passage": 20, "share": None, "longest": 7},
    },
    "count": 3,
    "length": 80,
    "temperature": 1.0,
    "seed": 0,
}


@pytest.mark.parametrize(
    ("variant", "title"),
    [
        ("af-af", "AF/AF"),
        ("iaf-scf", "IAF/SCF"),
        ("af-scf-affine", "AF/SCF, affine"),
        ("af-only", "AF-only"),
        ("hidden-flow-only", "Hidden flow only"),
        ("lstm", "LSTM baseline"),
    ],
)
def test_variants_are_written_as_in_the_paper(variant: str, title: str) -> None:
    assert variant_title(variant) == title


def test_data_sets_go_by_their_names() -> None:
    assert dataset_title("ptb") == "Penn Treebank"
    assert dataset_title("my-own") == "my-own"


@pytest.mark.parametrize(("variant", "words"), [("af-scf", "split coupling"), ("lstm", "exact baseline")])
def test_a_card_describes_its_checkpoint(tmp_path: Path, variant: str, words: str) -> None:
    save_tiny(tmp_path, variant, metrics=FIGURES)
    card = (tmp_path / "README.md").read_text()
    assert card == model_card(read_config(tmp_path), FIGURES)
    front = card.split("---\n")[1].splitlines()
    assert "license: mit" in front and "- music" in front
    for expected in (words, "6.789", "6.543", "epochs: 12", "minutes: 34.5", "parameters: 12345", f"tiny/{variant}"):
        assert expected in card
    assert "divided by sum(T + 1) | 6.789 | 6.543 |" in card and "divided by sum(T) | 6.9 | 6.6 |" in card


def test_a_checkpoint_may_be_called_more_than_its_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    folder = tmp_path / "jsb" / "af-scf-beta"
    save_tiny(folder, "af-scf", metrics=FIGURES)
    card = (folder / "README.md").read_text()
    assert "AF/SCF, beta" in card and 'load("jsb/af-scf-beta")' in card
    (row,) = compare({"jsb/af-scf-beta": {"dataset": "jsb", "variant": "af-scf", **FIGURES}})
    assert (row.model, row.reported) == ("AF/SCF, beta", None)  # the paper has no such objective


@pytest.mark.parametrize("name", ["2024", "on", "null", "1.5", "my-tunes"])
def test_the_tag_of_any_data_set_is_a_word(tmp_path: Path, name: str) -> None:
    save_tiny(tmp_path, dataset=name)
    assert name in yaml.safe_load((tmp_path / "README.md").read_text().split("---\n")[1])["tags"]


@pytest.mark.parametrize(("batches", "part"), [(20, ", of at most 640 sequences"), (0, "")])
def test_a_card_says_of_how_much_the_bound_is_that_selected_its_weights(
    tmp_path: Path, batches: int, part: str
) -> None:
    config = {"valid_batches": batches, "batch_size": 32}
    save_tiny(tmp_path, training={"valid_negative_elbo": 1.25, "config": config})
    card = (tmp_path / "README.md").read_text()
    assert f"- negative ELBO on valid as these weights were selected, nats a symbol{part}: 1.25\n" in card


def test_a_card_without_figures_invents_none(tmp_path: Path) -> None:
    save_tiny(tmp_path, domain="text")
    card = (tmp_path / "README.md").read_text()
    assert "Not measured yet" in card
    assert "| NLL" not in card


def test_the_comparison_puts_ours_beside_the_papers() -> None:
    measured = {
        "jsb/af-scf": {"dataset": "jsb", "variant": "af-scf", **FIGURES},
        "ptb/lstm": {"dataset": "ptb", "variant": "lstm", "valid": {"nll": 1.0, "bpc": 1.443}},
    }
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in comparison(compare(measured)).splitlines()]
    assert rows[2] == ["JSB Chorales", "AF/SCF", "nats/step", "6.789", "6.543", f"{REPORTED['af-scf']['jsb']:.2f}"]
    assert rows[3] == ["Penn Treebank", "LSTM baseline", "bits/character", "1.443", "", "1.41"]
    assert len(rows) == 4
    assert {len(row) for row in rows} == {6}


def test_a_folder_named_for_another_model_or_data_set_borrows_no_figure() -> None:
    rows = compare(
        {
            "jsb/af-scf": {"dataset": "jsb", "variant": "lstm", **FIGURES},
            "ptb/lstm": {"dataset": "jsb", "variant": "lstm", **FIGURES, "test": {"nll": 6.543, "bpc": 10**400}},
        }
    )
    assert [(row.data, row.unit, row.valid, row.reported) for row in rows] == [
        ("JSB Chorales", "nats/step", 6.789, None),
        ("JSB Chorales", "nats/step", 6.789, REPORTED["lstm"]["jsb"]),
    ]


def test_text_of_any_data_set_is_measured_in_bits() -> None:
    (row,) = compare({"wiki/lstm": {"dataset": "wiki", "variant": "lstm", "valid": {"nll": 1.2, "bpc": 1.73}}})
    assert (row.unit, row.valid, row.reported) == ("bits/character", 1.73, None)


def test_seeds_are_told_with_their_mean_and_the_deviation_of_a_sample() -> None:
    table = seeds([Spread("jsb/af-scf", (1.0, 2.0, 4.0), ("python -m lnf_core evaluate",))])
    assert "| jsb/af-scf | 1.000, 2.000, 4.000 | 2.333 | 1.528 |" in table  # sqrt(7 / 3): n - 1 degrees of freedom
    assert table.endswith("- `python -m lnf_core evaluate`\n")


def test_a_recipe_is_told_with_every_seed_that_was_measured() -> None:
    """The first is the release, or what was kept of it where that has gone on since."""
    figures = Path(__file__).resolve().parents[1] / "figures"
    released = {entry.name: entry.path for entry in list_checkpoints()}
    folders: dict[str, list[Path]] = {}
    for folder in sorted(figures.glob("*/*.seed*")):
        name = f"{folder.parent.name}/{folder.name.split('.')[0]}"
        first = [] if folder.name.endswith(".seed0") else [released[name]]
        folders.setdefault(name, first).append(folder)
    figure = {name: [json.loads((at / "metrics.json").read_text()) for at in every] for name, every in folders.items()}
    said = {name: tuple(metrics["valid"]["nll"] for metrics in every) for name, every in figure.items()}
    assert {spread.name: spread.valid for spread in compare_seeds()} == said


def test_the_details_hold_every_figure() -> None:
    text = details(
        {"jsb/af-scf": {"dataset": "jsb", "variant": "af-scf", **FIGURES, "command": "python -m lnf_core train"}}
    )
    assert "| jsb/af-scf | test | 77 | 30 | 6.543 | 6.600 | 6.800 |  | 6.700 |  |" in text
    assert "parameters 12345, epochs 12, minutes 34.500, device cpu" in text
    assert "`python -m lnf_core train`" in text
    assert "- **jsb/lstm**: not measured yet" in details({"jsb/lstm": {"dataset": "jsb", "variant": "lstm"}})


def test_results_are_written_between_the_marks_and_only_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "bundled"
    monkeypatch.setenv("LNF_CHECKPOINTS", str(root))
    save_tiny(root / "muse" / "af-scf", dataset="muse", metrics=FIGURES)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter <!-- details --><!-- /details -->\n")
    for _ in range(2):  # the second time changes nothing
        done = run("results", "--write", page)
        assert done.exit_code == 0, done.output
        text = page.read_text()
    assert text.startswith("before\n<!-- results -->\n| Data |")
    assert "old" not in text and "| MuseData | AF/SCF | nats/step | 6.789 | 6.543 | 6.95 |" in text
    assert "| muse/af-scf | valid | 76 | 30 |" in text.split("after")[1]
    assert text.count("<!-- results -->") == text.count("<!-- /details -->") == 1
    page.write_bytes(b"a\r\n<!-- results --><!-- /results -->\r\nb\r\n")  # of an editor on Windows
    assert run("results", "--write", page).exit_code == 0
    assert page.read_bytes().startswith(b"a\r\n<!-- results -->") and page.read_bytes().endswith(b"\r\nb\r\n")


def test_results_without_marks_or_files_are_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing to fill\n")
    for arguments in (["--write", str(page)], ["--write"], [str(page)], ["--write", str(tmp_path / "none.md")]):
        done = run("results", *arguments)
        assert done.exit_code == 1
        assert len(done.stderr.strip().splitlines()) == 1
    assert page.read_text() == "nothing to fill\n"
    page.write_bytes(b"<!-- results -->\xff")
    refused = run("results", "--write", page)
    assert refused.exit_code == 1 and "cannot be read: " in refused.output


@pytest.mark.parametrize(
    "content",
    [
        "<!-- /bench -->\na\n<!-- bench -->\nb\n",
        "<!-- bench -->\na\n",
        "a\n<!-- /bench -->\n",
        "<!-- bench -->\na\n<!-- /bench -->\n<!-- bench -->\nb\n<!-- /bench -->\n",
        "<!-- bench -->\na\n<!-- bench -->\nb\n<!-- /bench -->\n",
        "<!-- /bench -->\na\n<!-- bench -->\nb\n<!-- /bench -->\n",
        "<!-- modes -->\na\n<!-- bench -->\n<!-- /modes -->\nb\n<!-- /bench -->\n",
    ],
)
def test_marks_that_are_no_pair_are_refused(tmp_path: Path, content: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(content)
    with pytest.raises(InvalidInputError, match="must hold <!-- bench --> once and, after it, <!-- /bench --> once"):
        write_sections(page, {"modes": "new\n", "bench": "new\n"})
    assert page.read_text() == content


def test_the_card_command_prints_and_rewrites(tmp_path: Path) -> None:
    save_tiny(tmp_path, metrics=FIGURES)
    shown = run("card", tmp_path)
    assert shown.output == (tmp_path / "README.md").read_text()
    (tmp_path / "metrics.json").write_text(json.dumps({"valid": {"nll": 5.4321}}))
    (tmp_path / "README.md").unlink()
    assert run("card", tmp_path, "--write").exit_code == 0
    assert "5.432" in (tmp_path / "README.md").read_text()


def test_a_card_says_what_samples_copy(tmp_path: Path) -> None:
    save_tiny(tmp_path, domain="text")
    config = read_config(tmp_path)
    card = model_card(config, {"statistics": STATISTICS})
    assert "of all passages of 20 characters: 0.0125 (of as much held-out data: none so long)" in card
    assert "stands there: 31 characters (held-out: 7)" in card
    assert "Copied" not in model_card(config, {"statistics": {**STATISTICS, "copies": None}})
    shared = {side: {"passage": 20, "longest": 0} for side in ("samples", "held_out")}
    assert "none so long" in model_card(config, {"statistics": {**STATISTICS, "copies": shared}})
