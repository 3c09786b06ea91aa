"""The latent space at one step, as the cloud widget draws it."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from app.services.sequences import Request, Sequences, Studied
from lnf_core.analysis.latents import StepCloud, draw_step
from lnf_core.analysis.modes import Modes, count_modes

DRAWS = 4096
_SHADES = 32767  # points travel as 16-bit whole numbers


class LatentViews:
    """Draws of ``z_t`` and what they decode to."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences

    def view(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What stands at one step of one sequence; ``asked`` as :meth:`Request.read` takes it.

        Raises:
            LNFError: a value that cannot be used; says which.
        """
        request = Request.read(asked)
        started = time.perf_counter()
        studied = self._sequences.get(request)
        other = self._sequences.beside(studied, request)
        linked = {"beside": 1} if asked.get("beside") and other is not None else {}
        head = studied.head("latent", request, **linked)
        found = _cloud(studied, request.seed, head["step"])
        if other is None:
            found["beside"] = None
        elif not asked.get("beside"):
            found["beside"] = {"title": other.entry.title}
        else:
            found["beside"] = {"title": other.entry.title} | _cloud(other, request.seed, head["step"])
        return head | found | {"milliseconds": round(1e3 * (time.perf_counter() - started))}


def _cloud(studied: Studied, seed: int, step: int) -> dict[str, Any]:
    # the same noise at every step: what moves is the flow
    generator = torch.Generator().manual_seed(seed)
    cloud = draw_step(studied.model, studied.past, step - 1, DRAWS, generator=generator, engine=studied.sampler)
    modes = count_modes(cloud.layers[-1], generator=torch.Generator().manual_seed(0))
    return _payload(studied, cloud, modes, step)


def _payload(studied: Studied, cloud: StepCloud, modes: Modes, step: int) -> dict[str, Any]:
    symbols = [
        {"name": studied.name(symbol), "share": round(float(share), 4), "percent": percent(float(share))}
        for symbol, share in zip(cloud.symbols, cloud.shares, strict=True)
    ]
    plane = cloud.plane - cloud.plane.mean(1, keepdim=True)  # every layer around its own middle
    scale = float(plane.abs().max()) or 1.0
    actual = (cloud.actual @ cloud.directions.T) - cloud.plane[-1].mean(0)
    return {
        "symbols": symbols,
        "actual": [float(value) / scale for value in actual],
        "points": _packed((plane / scale * _SHADES).round().to(torch.int16)),
        "labels": _packed(cloud.labels.to(torch.uint8)),
        "draws": cloud.layers.shape[1],
        "layers": len(cloud.layers) - 1,
        "modes": {"count": modes.count, "low": modes.low, "high": modes.high, "method": modes.method},
        "said": _said(studied, symbols, modes, step) + _read(studied, cloud, step),
    }


def _said(studied: Studied, symbols: list[dict[str, Any]], modes: Modes, step: int) -> str:
    music = studied.vocabulary is None
    quoted = [f"{_quoted(item['name'])} {item['percent']}" for item in symbols[:4] if item["share"] >= 0.01]
    decoded = ", ".join(quoted) or "many different chords, none of them as often as 1%"
    others = " and others" if quoted and sum(item["share"] for item in symbols[:4]) < 0.995 else ""
    before = "".join(studied.names[: step - 1])[-40:] if not music else ""
    beginning = f"After “{before}”, " if before else f"At step {step}, "
    span = f"{modes.count}" if modes.low == modes.high else f"{modes.count} ({modes.low} to {modes.high})"
    hills = "hill (mode)" if modes.count == modes.high == 1 else "hills (modes)"
    return (
        f"{beginning}{DRAWS:,} draws of the hidden vector decode to {decoded}{others}. "
        f"After the last layer their density has {span} {hills}."
    )


def _read(studied: Studied, cloud: StepCloud, step: int) -> str:
    """Where the sequence has not what its vector is most likely read as: a sampled one was drawn by chance."""
    stands, read = studied.name(studied.x[step - 1]), studied.name(cloud.reading)
    if stands == read:
        return ""
    what = "piece" if studied.vocabulary is None else "line"
    return f" The {what} itself has {_quoted(stands)} here, from a vector that is most likely read as {_quoted(read)}."


def _quoted(name: str) -> str:
    return f"“{'space' if name == ' ' else name}”"


def percent(share: float) -> str:
    """For words and legend alike; what is not quite all of the draws is not called all."""
    if 0 < share < 0.001:
        return "under 0.1%"
    return "over 99%" if 0.99 < share < 1 else f"{100 * share:.{1 if share < 0.1 else 0}f}%"


def _packed(values: Tensor) -> str:
    """Bytes of a tensor, little-endian as every browser reads them, in base64."""
    return base64.b64encode(values.cpu().contiguous().numpy().tobytes()).decode()
