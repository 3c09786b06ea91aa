"""One sequence taken apart, as the inside widget draws it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from app.services.sequences import Request, Sequences, Studied
from lnf_core.analysis.bounds import bound_by_samples
from lnf_core.analysis.causality import influence
from lnf_core.analysis.layers import decode_layers, step_terms
from lnf_core.data import sounding_shift
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.music import held_notes, piano_keys

_DRAWS = 16  # of the posterior, for the two parts of each step
_BOUND = 64  # most draws of the curve
_ROUNDING = 1e-3  # difference of a vector there and back above which a visitor wonders


class InsideViews:
    """What each step of a sequence costs, how it comes about layer by layer, and what its noise reaches."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences

    def view(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Everything but the influence of one step; ``asked`` as :meth:`Request.read` takes it.

        Raises:
            LNFError: a value that cannot be used; says which.
        """
        request = Request.read(asked)
        started = time.perf_counter()
        studied = self._sequences.get(request)
        model, x = studied.model, studied.x
        lengths = torch.tensor([len(x)])
        terms = step_terms(model, x, _DRAWS, torch.Generator().manual_seed(request.seed))
        stop = -float(model.length_prior.log_prob(lengths))
        seen = math.isfinite(stop)
        curve = bound_by_samples(
            model,
            x[:, None],
            lengths,
            _BOUND,
            torch.Generator().manual_seed(request.seed),
            with_length=seen,
        )
        layers = decode_layers(model, studied.past)
        z = studied.past.z[:, None]
        error = model.invert(z, lengths, studied.sampler).error
        grown = error > _ROUNDING and model.prior.reads == "z"  # by a recursion on the way back
        step_error = model.step_error(z, lengths) if grown else None
        return studied.head("inside", request) | {
            "reconstruction": [round(float(value), 4) for value in terms.reconstruction],
            "kl": [round(float(value), 4) for value in terms.kl],
            "draws": _DRAWS,
            "length_seen": seen,
            "length_nats": round(stop, 4) if seen else None,
            "bound": [
                {"draws": count, "nats": round(-bound, 4), "error": None if spread is None else round(spread, 4)}
                for count, bound, spread in zip(curve.counts, curve.bounds, curve.standard_errors, strict=True)
            ],
            "layers": [_layer(studied, symbols) for symbols in layers],
            "inversion_error": error,
            "step_error": step_error,
            "milliseconds": round(1e3 * (time.perf_counter() - started)),
        }

    def poke(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What moves when the noise of one step is changed.

        Raises:
            LNFError: a value that cannot be used; says which.
        """
        request = Request.read(asked)
        studied = self._sequences.get(request)
        head = studied.head("inside", request)
        changed = influence(
            studied.model,
            studied.past.eps[:, None],
            torch.tensor([len(studied.x)]),
            head["step"] - 1,
            size=1.0,
            directions=8,
            generator=torch.Generator().manual_seed(request.seed),
            engine=studied.sampler,
        )
        return head | {
            "z": [round(float(value), 5) for value in changed.z[:, 0]],
            "x": [round(float(value), 6) for value in changed.probabilities[:, 0]],
            "said": _reach(studied.model, changed.z[:, 0], head["step"]),
        }


def _layer(studied: Studied, symbols: Tensor) -> Any:  # noqa: ANN401 - text, or notes
    """A line of text; or the notes of a roll as start, steps held, pitch."""
    if studied.vocabulary is not None:
        return "".join(studied.vocabulary.symbols[int(symbol)] for symbol in symbols)
    shift = sounding_shift(studied.entry.dataset)
    return [[note.start, note.end - note.start, note.pitch(shift)] for note in held_notes(piano_keys(symbols))]


def _reach(model: LatentFlow, moved: Tensor, step: int) -> str:
    """What holds for this flow over time, and what was seen."""
    later, after = int((moved[step:] > 0).sum()), len(moved) - step
    seen = [f"{later} of {after} later vectors moved" if after else "no vector comes later"]
    if step > 1:
        earlier = bool((moved[: step - 1] > 0).any())
        seen.append("earlier ones did too" if earlier else "no earlier one did" if after else "no earlier one moved")
    why = {
        "af": "each vector is made from those before it",
        "iaf": "each vector is made from the noise before it, which is known at once",
        "none": "no vector hears of another",
    }[model.config.time_flow]
    return (
        f"The noise of step {step}, changed in 8 random directions: {', '.join(seen)}: {why}. "
        "What is read may move on both sides, since the decoder looks both ways."
    )
