"""What a benchmark counts, and the shape of its report."""

from __future__ import annotations

import itertools
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from command_line import run
from small import small_model

from lnf_core import benchmark
from lnf_core.benchmark import (
    Limits,
    Phase,
    SamplingTime,
    median_seconds,
    paper_model,
    phases_of,
    timed_draw,
    training_operations,
    training_time,
)
from lnf_core.cli.bench import _at_hand, _models


def test_work_is_counted_from_shapes() -> None:
    # Embedding 4, hidden 6, two layers; one-step products: 4 gates of 6 units from 4 + 6 and 6 + 6 inputs.
    (phase,) = phases_of(small_model("lstm", "categorical"), 7)
    emission = 6 * 4 + 4 * 5
    assert phase == Phase(7, 24 * (4 + 6) + 24 * (6 + 6) + emission)
    af, *decoder = phases_of(small_model("af-scf", "categorical"), 7)
    # Coupling of D = 3 (1 kept, 2 changed by 5 parameters each), 8 hidden units, context 6, two layers.
    stack = 2 * ((1 + 6) * 8 + 8 * 8 + 8 * 10)
    assert af == Phase(7, stack + 24 * (3 + 6) + 24 * (6 + 6))
    assert [phase.steps for phase in decoder] == [1, 7, 1, 7, 1]
    assert decoder[1].weights == 2 * 24 * 6
    iaf = phases_of(small_model("iaf-scf", "categorical"), 7)
    assert sum(p.steps * p.weights * p.rows for p in iaf) == sum(p.steps * p.weights * p.rows for p in (af, *decoder))


def test_a_draw_is_timed_until_its_symbols_are_there() -> None:
    class Late:
        """Symbols of a GPU that is still at work on them."""

        def cpu(self) -> None:
            time.sleep(0.02)

    drawn = SimpleNamespace(x=Late(), dependent_steps=7)
    model = SimpleNamespace(sample=lambda *_arguments, **_options: drawn)
    seconds, steps = timed_draw(model, None, 1, 7, repeats=1)  # type: ignore[arg-type]
    assert seconds >= 0.02
    assert steps == 7


def test_a_training_step_multiplies_three_times_what_its_networks_do() -> None:
    lstm = small_model("lstm", "categorical")
    assert training_operations(lstm, 7) == 3 * 2 * phases_of(lstm, 7)[0].weights * 7
    # What the encoder adds: two directions from embedding 4, two layers of 6 units; mean and scale of D = 3.
    flow = small_model("af-scf", "categorical")
    drawing = sum(2 * p.steps * p.weights * p.rows for p in phases_of(flow, 7))
    encoder = 2 * 24 * (4 + 6) + 2 * 24 * (12 + 6) + 12 * 6
    assert training_operations(flow, 7) == 3 * (drawing + 2 * 7 * encoder)


def test_masked_weights_are_not_counted() -> None:
    text = phases_of(paper_model("af-af", "text"), 1)[0].weights
    every = sum(
        p.numel() for name, p in paper_model("af-af", "text").prior.stack.named_parameters() if "weight" in name
    )
    assert text < every + 4 * 500 * (50 + 500 + 1000)


def test_the_floor_takes_the_slower_of_reading_and_multiplying() -> None:
    limits = Limits(multiply_gflops=1.0, copy_gigabytes={1000: 2.0, 10_000: 1.0})
    phase = Phase(10, 100)
    assert limits.copy_seconds(400) == pytest.approx(400 / 2e9)
    assert limits.copy_seconds(40_000) == pytest.approx(40_000 / 1e9)
    assert phase.floor_seconds(1, limits) == pytest.approx(10 * max(400 / 2e9, 200 / 1e9))
    assert phase.floor_seconds(8, limits) == pytest.approx(10 * 1600 / 1e9)


def test_a_row_tells_of_one_sequence_of_its_batch() -> None:
    model = small_model("lstm", "categorical")
    limits = Limits(multiply_gflops=2.0, copy_gigabytes={10**6: 4.0})
    named = {"name": "small", "variant": "lstm", "engine": "eager", "domain": "text"}
    row = SamplingTime.of(model, 0.5, limits, **named, length=7, batch=4, sequential_steps=7)
    (phase,) = phases_of(model, 7)
    assert row.ms_per_sequence == pytest.approx(125.0)
    assert row.operations == 7 * 2 * phase.weights  # a multiplication and an addition with every weight
    assert row.weight_bytes == 7 * 4 * phase.weights  # of float32
    # Four sequences multiply more slowly than the weights are read, which is done once for all of them.
    assert row.floor_ms == pytest.approx(1e3 * 7 * (2 * 4 * phase.weights / 2e9) / 4)


def test_a_training_step_is_told_in_steps_of_all_its_sequences() -> None:
    limits = Limits(multiply_gflops=2.0, copy_gigabytes={})
    found = training_time("lstm", length=2, batch=3, repeats=1, limits=limits)
    assert found.steps_of_sequence_per_second == pytest.approx(2 * 3 / (1e-3 * found.ms_per_step))
    assert found.floor_ms == pytest.approx(1e3 * 3 * training_operations(paper_model("lstm", "music"), 2) / 2e9)


def test_a_product_of_matrices_multiplies_and_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", itertools.count().__next__)  # every call takes a second
    assert benchmark._product_gflops(torch.float32, size=8) == pytest.approx(2 * 8**3 / 1e9)


def test_a_median_leaves_the_first_call_out() -> None:
    calls: list[int] = []
    assert median_seconds(lambda: calls.append(1), repeats=4) < 1.0
    assert len(calls) == 5


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A report, and the folder with the page and the picture made of it."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "page.md").write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    arguments = ["bench", "--json", "--quick", "--variant", "af-scf", "--length", "4", "--no-training"]
    arguments += ["--batch", "1", "--batch", "2", "--engine", "eager", "--engine", "jacobi"]
    found = run(*arguments, "--write", folder / "page.md", "--plot", folder / "speed.png")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout), folder


def test_the_report_has_its_keys(bench: tuple[dict[str, Any], Path]) -> None:
    report, folder = bench
    assert set(report) == {"results", "training", "machine", "limits", "date", "command"}
    assert [(row["variant"], row["engine"], row["length"], row["batch"]) for row in report["results"]] == [
        ("af-scf", engine, 4, batch) for _ in ("music", "text") for engine in ("eager", "jacobi") for batch in (1, 2)
    ]
    for row in report["results"]:
        assert row["ms_per_sequence"] > 0
        assert row["floor_ms"] > 0
        assert row["sequential_steps"] == 4 if row["engine"] == "eager" else 1 <= row["sequential_steps"] <= 4
    assert report["limits"]["multiply_gflops"] > 0
    assert (folder / "speed.png").read_bytes().startswith(b"\x89PNG")
    assert torch.get_num_threads() == report["machine"]["threads"]


def test_the_table_has_the_engines_side_by_side(bench: tuple[dict[str, Any], Path]) -> None:
    rows = bench[0]["results"]
    lines = (bench[1] / "page.md").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after") and "old" not in lines
    table = [line for line in lines if line.startswith("| paper")]
    assert len(table) == len(rows) / 2 == 4
    eager, sweeping = ([row for row in rows if row["engine"] == name] for name in ("eager", "jacobi"))
    for plain, jacobi, line in zip(eager, sweeping, table, strict=True):
        ratio = plain["ms_per_sequence"] / jacobi["ms_per_sequence"]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[2:5] == [plain["domain"], "4", str(plain["batch"])]
        written = re.fullmatch(r"([\d.]+) \(([\d.]+) x\)", cells[7])
        assert written is not None
        # JSON holds rounded numbers too: the last digit of a table's may be the neighbouring one.
        assert float(cells[6]) == pytest.approx(plain["ms_per_sequence"], abs=0.06)
        assert float(written[1]) == pytest.approx(jacobi["ms_per_sequence"], abs=0.06)
        assert float(written[2]) == pytest.approx(ratio, abs=0.06)
        waits = jacobi["sequential_steps"]
        assert cells[8] == ("4" if waits == 4 else f"4; jacobi {waits}")


def test_an_engine_that_is_none_is_refused() -> None:
    other = run("bench", "--checkpoints", "--dataset", "nobody")
    assert other.exit_code == 1 and "no data set 'nobody'" in other.output
    found = run("bench", "--engine", "warp")
    assert found.exit_code == 1
    assert "no engine 'warp'" in found.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--plot", "nowhere/x.png"], "there is no folder nowhere"),
        (["--plot", "x.foo"], "end it in .png"),
        (["--write", "{}/empty.md"], "<!-- bench --> ... <!-- /bench --> to write between"),
        (["--write", "{}/none.md"], "cannot be read"),
        (["--dataset", "jsb"], "give --checkpoints as well"),
        (["--checkpoints", "--dataset", "jsb", "--variant", "gru"], "no variant 'gru' to measure; choose from af-af"),
        (["--variant", "lstm", "--length", "9999"], "no model takes that length"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    (tmp_path / "empty.md").write_text("")
    monkeypatch.setattr(benchmark, "sampling_times", None)
    late = "--length" in options  # found out by trying: how fast the machine is has been measured by then
    monkeypatch.setattr(benchmark, "measure_limits", (lambda: None) if late else None)
    if late:
        monkeypatch.setattr(benchmark, "sampling_times", lambda *_, **options: [1 / 0 for _ in options["lengths"]])
    done = run("bench", *(option.format(tmp_path) for option in options))
    assert done.exit_code == 1 and words in done.output, done.output
    assert isinstance(done.exception, SystemExit)


def test_every_checkpoint_at_hand_can_be_chosen() -> None:
    names = _at_hand(["jsb"])
    assert {"jsb/af-scf-affine", "jsb/af-scf-beta", "jsb/lstm"} <= set(names)
    assert [name for name, *_ in _models(("af-scf-beta",), names)] == ["jsb/af-scf-beta"]


def test_a_floor_is_the_slower_of_reading_and_multiplying() -> None:
    limits = benchmark.Limits(multiply_gflops=2.0, copy_gigabytes={1024: 4.0})
    phase = benchmark.Phase(steps=3, weights=50, rows=5)
    assert phase.floor_seconds(7, limits) == pytest.approx(3 * 2 * 50 * 5 * 7 / 2e9)
    assert benchmark.Phase(3, 50).floor_seconds(1, limits) == pytest.approx(3 * 4 * 50 / 4e9)
