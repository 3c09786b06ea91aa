"""The results as ``benchmarks/cuda.md``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.gpu.parts import PartsError


def report(results: Path) -> str:
    """Markdown of every step whose JSON lies in ``results``.

    Raises:
        PartsError: nothing lies there.
    """
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(results.glob("*.json"))}
    found = {name: value for name, value in found.items() if "measured_on" in value}
    if not found:
        raise PartsError(f"{results} holds no results; run a step of the plan first.")
    made = f"Made by `python -m benchmarks.gpu report` on {datetime.now(UTC).date().isoformat()}."
    lines = ["# On a GPU", "", made]
    lines += [f"{name.capitalize()}: {_machine(value)}." for name, value in found.items()]
    if check := found.get("check"):
        lines += ["", "## Right", "", f"Tests: {check['tests']}.", ""]
        lines += _table(("Model", "largest difference from the reference"), check["parity"].items())
        lines += ["", "Largest difference between the CPU and the device, float32 without TF32:", ""]
        lines += _table(("Variant", "difference"), check["agreement"].items())
    for name in ("text", "music"):
        if (value := found.get(name)) is None:
            continue
        lines += ["", f"## Training, {name}", ""]
        lines += _table(("Run", "where it stands"), [(run, about["last"]) for run, about in value["runs"].items()])
        if value["rates"]:
            keys = tuple(value["rates"][0])
            lines += [
                "",
                *_table(tuple(key.replace("_", " ") for key in keys), [tuple(r.values()) for r in value["rates"]]),
            ]
    if sampling := found.get("sampling"):
        lines += ["", f"## Sampling, {sampling['length']} steps", ""]
        keys = ("variant", "engine", "batch", "ms", "dependent_steps", "why_not")
        rows = [tuple(row.get(key, "") for key in keys) for row in sampling["rows"]]
        lines += _table(("Variant", "Engine", "Batch", "ms", "dependent steps", "why not"), rows)
    return "\n".join(lines) + "\n"


def _machine(value: dict[str, Any]) -> str:
    on = value["measured_on"]
    named = on.get("gpu", on["processor"])
    about = [named, *(f"driver {on['driver']}" for _ in "x" if on.get("driver")), f"torch {on['torch']}"]
    return ", ".join(about) + (", a rehearsal at small sizes" if value["small"] else "")


def _table(head: tuple[str, ...], rows: Any) -> list[str]:  # noqa: ANN401 - any rows of any values
    shown = [[f"{cell:.2g}" if isinstance(cell, float) and cell < 1e-2 else str(cell) for cell in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *shown)]
