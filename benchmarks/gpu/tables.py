"""The tables of benchmarks/cuda.md, from the records of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu.record import PlanError, read_record

RECORDS = ("1-check", "2-ptb", "3-music", "4-engines")
Items = Mapping[str, Any]


def tables(folder: Path, *, allow_small: bool = False) -> str:
    """The page made of the records in ``folder``; a step that was not run has no section.

    Raises:
        PlanError: no record there, a damaged one, or, unless ``allow_small``, figures of a rehearsal or of a processor.
    """
    records = {name: read_record(folder / f"{name}.json") for name in RECORDS if (folder / f"{name}.json").is_file()}
    if not records:
        raise PlanError(f"{folder} holds none of {', '.join(f'{name}.json' for name in RECORDS)}: run a step first.")
    for name, record in records.items():
        if not allow_small and (record["about"]["small"] or record["about"]["kind"] != "cuda"):
            raise PlanError(
                f"{folder / name}.json is of a rehearsal or of a processor; this page holds figures of a GPU alone."
            )
    head = (
        "# On a GPU\n\nMade by `python -m benchmarks.gpu tables`; the steps stand in [docs/gpu.md](../docs/gpu.md).\n"
    )
    parts = [head, _machines(records)]
    if "1-check" in records:
        items = records["1-check"]["items"]
        parts += [_correct(items), _steps(items)]
    rows = [
        row
        for name in ("1-check", "4-engines")
        if name in records
        for key, row in records[name]["items"].items()
        if key.startswith("sampling/")
    ]
    parts.append(_sampling(rows))
    models = {
        model: item
        for name in ("2-ptb", "3-music")
        if name in records
        for model, item in records[name]["items"].items()
    }
    parts.append(_training(models))
    return "\n".join(part for part in parts if part)


def _table(title: str, said: str, head: str, align: str, rows: list[str]) -> str:
    if not rows:
        return ""
    return "\n".join([f"## {title}\n", f"{said}\n", f"| {head} |", f"|{align}|", *rows]) + "\n"


def _machines(records: Mapping[str, Mapping[str, Any]]) -> str:
    keys = ("device", "driver", "cuda", "cudnn", "torch", "code_version", "date")
    rows = [
        f"| {name} | {' | '.join(str(record['about'].get(key) or '') for key in keys)} |"
        for name, record in records.items()
    ]
    said = "Figures of one step belong together; between steps the machine may have been another of the same kind."
    head = "Step | Device | Driver | CUDA | cuDNN | torch | Code | Date"
    return _table("What was measured on", said, head, "---|" * 7 + "---", rows)


def _correct(items: Items) -> str:
    found = items.get("tests")
    tests = (
        "Not run."
        if found is None
        else f"Tests marked `cuda`: {'passed' if found['passed'] else 'FAILED'} ({found['said']})."
    )
    rows = []
    for key, item in items.items():
        kind, _, name = key.partition("/")
        if kind == "parity":
            said = "same symbols" if item["same_symbols"] else "OTHER SYMBOLS"
            rows.append(f"| reference, {name} | {_largest(item['differences'])} | | {said} |")
        elif kind == "agreement":
            said = "yes" if item["agrees"] else "NO"
            rows.append(f"| CPU, {name} | {_largest(item['differences'])} | {_largest(item['rounding'])} | {said} |")
    said = (
        f"{tests} Float32, TensorFloat-32 off. Against the reference's fixtures: the largest absolute difference; "
        "against our own CPU at the paper's sizes: the largest difference relative to 1 + |value|, which may be 1e-4, "
        "beside how far the CPU's float32 is from its float64."
    )
    return _table(
        "Correct", said, "Against | Largest difference | CPU's own rounding | Agrees", "---|---:|---:|---", rows
    )


def _largest(found: Mapping[str, float]) -> str:
    name, value = max(found.items(), key=lambda pair: -1.0 if pair[1] != pair[1] else pair[1])
    return f"{value:.1e} ({name})"


def _steps(items: Items) -> str:
    found = [item for key, item in items.items() if key.startswith("training/")]
    rows = [
        f"| {r['variant']} | {r['precision']} | {r['batch']} x {r['length']} | {r['ms_per_step']:.1f} "
        f"| {r['sequences_per_second']:.0f} | {r['floor_ms']:.2f} | {r['ms_per_step'] / r['floor_ms']:.1f} x |"
        for r in found
    ]
    said = (
        "One optimiser step on text. The floor, measured in the same run, is the time of the step's matrix products "
        "alone in the same number format, as though no time step waited for another."
    )
    head = "Model | Products in | Batch x length | ms | Sequences a second | Floor, ms | To the floor"
    return _table("Training step, the paper's sizes", said, head, "---|---|---:|---:|---:|---:|---:", rows)


def _sampling(found: list[dict[str, Any]]) -> str:
    measured = [row for row in found if "why_not" not in row]
    rows = [
        f"| {r['variant']} | {r['domain']} | {r['length']} | {r['batch']} | {r['engine']} "
        f"| {r['ms_per_sequence'] * r['batch']:.2f} | {r['ms_per_sequence']:.3f} | {r['floor_ms'] * r['batch']:.2f} "
        f"| {r['sequential_steps']} |"
        for r in sorted(measured, key=lambda r: (r["domain"], r["length"], r["variant"], r["batch"], r["engine"]))
    ]
    reasons = sorted({row["why_not"] for row in found if "why_not" in row})
    said = (
        "Milliseconds a batch and a sequence, seeds in and symbols out, decoder included, float32, random weights. The "
        "floor is of a batch: every step that waits for another reads its weights at the rate of a copy of that size, "
        "or multiplies at the rate of a large product, each by a launch of its own, measured in the same run."
    )
    said += "".join(f"\n\nNot run: {reason}" for reason in reasons)
    head = "Model | Data | Length | Batch | Engine | ms a batch | ms a sequence | Floor, ms | Steps that wait"
    return _table("Sampling, the paper's sizes", said, head, "---|---|---:|---:|---|---:|---:|---:|---:", rows)


def _training(models: Items) -> str:
    rows = []
    for name, item in models.items():
        last = item["calls"][-1]
        card = last.get("card")
        valid = item.get("valid")
        figures = [
            f"stage {last['stage']}, step {last['step']}" + (", done" if last["done"] else ""),
            _short(item.get("seconds_per_epoch"), 1),
            "" if card is None else f"{card['percent']:.0f} %",
            _short(last["best_negative_elbo"], 4),
            *("" if split is None else _short(split["nll"], 3) for split in (valid, item.get("test"))),
            "" if valid is None else _short(valid.get("bpc"), 3),
        ]
        rows.append(f"| {name} | {' | '.join(figures)} |")
    service = any(item["calls"][-1].get("shared_by_service") for item in models.values())
    said = (
        "All models of a step, and of both steps where they ran at once, trained side by side on one card, in bfloat16 "
        "autocast where the card has it; the share of the card that was busy is of all together. NLL in nats a symbol "
        "by the evaluation protocol, on the card; where there is none the weights were evaluated elsewhere."
        + (" NVIDIA's multi-process service let their kernels run at the same time." if service else "")
    )
    head = (
        "Model | Trained to | Seconds an epoch | Card busy | Best negative ELBO, nats a symbol | NLL, valid | test "
        "| Bits a character, valid"
    )
    return _table("Training", said, head, "---|---|---:|---:|---:|---:|---:|---:", rows)


def _short(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
