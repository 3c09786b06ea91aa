"""Arguments that come from users, checked once for every model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lnf_core.config import ModelConfig
from lnf_core.errors import InvalidInputError
from lnf_core.lengths import LengthPrior

MAX_COUNT = 4096
"""Most sequences one call draws: a bound on memory, far above any use."""


def check_temperature(temperature: float) -> float:
    """A finite temperature in (0, 10].

    Raises:
        InvalidInputError: anything else.
    """
    if not (isinstance(temperature, int | float) and math.isfinite(temperature) and 0.0 < temperature <= 10.0):
        raise InvalidInputError(f"temperature is {temperature}; give a number above 0 and at most 10 (1 is the model).")
    return float(temperature)


def check_count(count: int) -> int:
    """A whole number of sequences in 1 ... MAX_COUNT.

    Raises:
        InvalidInputError: anything else.
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
        raise InvalidInputError(f"count is {count}; give a whole number from 1 to {MAX_COUNT}.")
    return count


def check_lengths(lengths: Tensor, max_length: int) -> Tensor:
    """Lengths in 1 ... max_length, as int64 ``[B]``.

    Raises:
        InvalidInputError: an empty list, a wrong type or a length out of range.
    """
    if lengths.ndim != 1 or len(lengths) == 0 or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise InvalidInputError("lengths must be a non-empty row of whole numbers, one for each sequence.")
    wrong = lengths[(lengths < 1) | (lengths > max_length)]
    if len(wrong):
        raise InvalidInputError(f"a length of {int(wrong[0])} steps was asked for; this model takes 1 to {max_length}.")
    return lengths.long()


def resolve_lengths(
    count: int,
    lengths: int | Sequence[int] | Tensor | None,
    prior: LengthPrior,
    max_length: int,
    generator: torch.Generator | None,
) -> Tensor:
    """The lengths to sample, ``[B]``: drawn from p(T), one length ``count`` times, or one for each sequence.

    Raises:
        InvalidInputError: count or a length out of range, or ``lengths`` of another size than ``count``.
    """
    device = prior.log_probs.device
    count = check_count(count)
    if lengths is None:
        return prior.sample(count, generator)
    if isinstance(lengths, int):
        return check_lengths(torch.full((count,), lengths, device=device), max_length)
    try:
        row = torch.as_tensor(lengths, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError("lengths must be a whole number or a list of whole numbers.") from error
    row = check_lengths(row, max_length)
    if count not in (1, len(row)):
        raise InvalidInputError(f"count is {count} but {len(row)} lengths were given; leave one of them out.")
    check_count(len(row))
    return row


def check_sequences(x: Tensor, lengths: Tensor, config: ModelConfig) -> Tensor:
    """Check a padded batch against a model; returns lengths as int64.

    Raises:
        InvalidInputError: wrong shape or type, a symbol outside the vocabulary, a key that is neither 0
            nor 1, or a length out of range.
    """
    lengths = check_lengths(lengths, config.max_length)
    categorical = config.likelihood == "categorical"
    shape = "[T, B]" if categorical else f"[T, B, {config.vocab_size}]"
    if x.ndim != (2 if categorical else 3) or (not categorical and x.shape[-1] != config.vocab_size):
        raise InvalidInputError(f"x has shape {list(x.shape)}; this model takes {shape}.")
    if x.shape[1] != len(lengths) or x.shape[0] < int(lengths.max()):
        raise InvalidInputError(
            f"x has {x.shape[0]} steps and {x.shape[1]} sequences, too few for the {len(lengths)} lengths given."
        )
    if categorical and (x.is_floating_point() or int(x.min()) < 0 or int(x.max()) >= config.vocab_size):
        raise InvalidInputError(f"x must hold whole numbers from 0 to {config.vocab_size - 1}, the model's symbols.")
    if not categorical and not bool(((x == 0) | (x == 1)).all()):
        raise InvalidInputError("a piano roll holds 0 (silent) and 1 (sounding) only.")
    return lengths
