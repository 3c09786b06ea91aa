"""Arguments that come from users, checked once for every model."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from lnf_core.config import LatentFlowConfig, ModelConfig
from lnf_core.errors import InvalidInputError
from lnf_core.models.length_prior import LengthPrior
from lnf_core.nets.positions import step_mask

MAX_COUNT = 4096
"""Most sequences one call draws: a bound on memory, far above any use."""


_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)  # torch computes with no other


def is_whole(value: object) -> bool:
    """Whether it is a whole number, Python's, NumPy's or a tensor's; True and False are none."""
    try:
        operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    truth = isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == torch.bool
    return not truth and getattr(value, "ndim", 0) == 0  # a row of one number is a row


def is_real(value: object) -> bool:
    """Whether it is a finite number, Python's or NumPy's; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_device(name: str | torch.device) -> torch.device:
    """A device that tensors can be made on here.

    Raises:
        InvalidInputError: one this machine or torch does not have.
    """
    try:
        made = torch.empty(0, device=name)
        made.cpu()  # refused where tensors hold no numbers
        return made.device
    except (RuntimeError, AssertionError) as error:  # AssertionError: a build of torch without CUDA
        raise InvalidInputError(f"the device {str(name)!r} cannot be used here; choose cpu or cuda.") from error


def check_tensor(name: str, value: object) -> None:
    """A tensor, and no array or list, which has no device to say where the answer belongs.

    Raises:
        InvalidInputError: anything else.
    """
    if not isinstance(value, Tensor):
        raise InvalidInputError(f"{name} is of type {type(value).__name__}; give a torch.Tensor.")


def check_flow(config: ModelConfig) -> None:
    """The configuration of a latent flow.

    Raises:
        InvalidInputError: that of the baseline.
    """
    if not isinstance(config, LatentFlowConfig):
        raise InvalidInputError("this model has no latent space; give a latent flow.")


def check_numbers(values: Tensor) -> None:
    """What a model computed of input that was checked: numbers, which they are not where its weights are out of range.

    Raises:
        InvalidInputError: NaN among them.
    """
    if bool(values.isnan().any()):
        raise InvalidInputError("the model gives no numbers here (NaN): its weights are out of range.")


def check_temperature(temperature: float) -> float:
    """A finite temperature in (0, 10].

    Raises:
        InvalidInputError: anything else.
    """
    if not (is_real(temperature) and 0.0 < temperature <= 10.0):
        raise InvalidInputError(f"temperature is {temperature}; give a number above 0 and at most 10 (1 is the model).")
    return float(temperature)


def check_count(count: int) -> int:
    """A whole number of sequences in 1 ... MAX_COUNT.

    Raises:
        InvalidInputError: anything else.
    """
    if not is_whole(count) or not 1 <= count <= MAX_COUNT:
        raise InvalidInputError(f"count is {count}; give a whole number from 1 to {MAX_COUNT}.")
    return int(count)


def check_positive(name: str, value: int) -> int:
    """A whole number of at least 1, of posterior samples say.

    Raises:
        InvalidInputError: anything else.
    """
    if not is_whole(value) or value < 1:
        raise InvalidInputError(f"{name} is {value}; give a whole number of at least 1.")
    return int(value)


def check_lengths(lengths: Tensor, max_length: int) -> Tensor:
    """Lengths in 1 ... max_length, as int64 ``[B]``.

    Raises:
        InvalidInputError: an empty list, a wrong type or a length out of range.
    """
    row = isinstance(lengths, Tensor) and lengths.ndim == 1 and len(lengths) > 0
    if not row or lengths.dtype not in _WHOLE:
        raise InvalidInputError("lengths must be a tensor, a non-empty row of whole numbers, one for each sequence.")
    wrong = lengths[(lengths < 1) | (lengths > max_length)]
    if len(wrong):
        raise InvalidInputError(f"a length of {int(wrong[0])} steps was asked for; this model takes 1 to {max_length}.")
    return lengths.long()


def resolve_lengths(
    count: int, lengths: int | Sequence[int] | Tensor | None, max_length: int, device: torch.device
) -> tuple[int, Tensor | None]:
    """How many sequences to sample, and their lengths ``[B]``; None where they are to be drawn from p(T).

    Args:
        count: how many.
        lengths: one length ``count`` times, or one for each sequence, or None.
        max_length: the longest the model takes.
        device: where the lengths go.

    Raises:
        InvalidInputError: count or a length out of range, or ``lengths`` of another size than ``count``.
    """
    count = check_count(count)
    if lengths is None:
        return count, None
    if is_whole(lengths):
        lengths = int(lengths)  # type: ignore[arg-type]
        if not 1 <= lengths <= max_length:  # a huge one would not even fit into a tensor
            raise InvalidInputError(f"a length of {lengths} steps was asked for; this model takes 1 to {max_length}.")
        return count, torch.full((count,), lengths, device=device)
    try:
        row = torch.as_tensor(lengths, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError("lengths must be a whole number or a list of whole numbers.") from error
    row = check_lengths(row, max_length)
    if count not in (1, len(row)):
        raise InvalidInputError(f"count is {count} but {len(row)} lengths were given; leave one of them out.")
    return check_count(len(row)), row


def warn_of_short(lengths: Tensor, prior: LengthPrior) -> None:
    """Warn of lengths below all of the training data: the model has never seen one end so soon."""
    shortest = prior.shortest_trained
    if bool((lengths < shortest).any()):
        warnings.warn(
            f"a length of {int(lengths.min())} was asked for; the shortest this model was trained on is {shortest}, "
            "and below it samples are noise.",
            stacklevel=5,  # the caller of sample, past _begin and the decorator of torch
        )


def check_total(known: int, length: int) -> None:
    """A continuation's total ``length``: a whole number above the prefix's ``known`` steps, of which there is one.

    Raises:
        InvalidInputError: anything else.
    """
    if not is_whole(length):
        raise InvalidInputError(f"length is {length}; give the total steps, prefix included, as one whole number.")
    if not 1 <= known < length:
        raise InvalidInputError(f"the prefix has {known} steps; give at least 1 and fewer than the {length} asked for.")


def check_totals(totals: Tensor, lengths: Tensor, max_length: int) -> Tensor:
    """Total lengths ``[B]`` of sequences whose first ``lengths`` steps are at hand, as int64.

    Raises:
        InvalidInputError: not one for each, out of range, or below its sequence's own length.
    """
    totals = check_lengths(totals, max_length)
    if len(totals) != len(lengths) or bool((totals < lengths).any()):
        raise InvalidInputError("total_lengths must hold one for each sequence, none below the length it has already.")
    return totals


def check_latents(z: Tensor, lengths: Tensor, config: LatentFlowConfig, dtype: torch.dtype) -> Tensor:
    """Check ``z`` or base noise ``[T, B, D]`` against a model that computes in ``dtype``; returns lengths as int64.

    Raises:
        InvalidInputError: wrong shape or type, a length out of range, or values that are not finite.
    """
    check_tensor("the latent sequence", z)
    lengths = check_lengths(lengths, config.max_length)
    fits = z.ndim == 3 and z.is_floating_point() and z.shape[1:] == (len(lengths), config.latent_size)
    if not fits or len(z) < int(lengths.max()):
        raise InvalidInputError(
            f"the latents have shape {list(z.shape)}; floats of [T, {len(lengths)}, {config.latent_size}] are needed, "
            f"with T at least the longest length, {int(lengths.max())}."
        )
    if z.dtype != dtype:
        raise InvalidInputError(f"the latents are {z.dtype} and the model computes in {dtype}; convert one of them.")
    if not bool(z.detach()[step_mask(lengths, len(z))].isfinite().all()):
        raise InvalidInputError("the latents hold NaN or infinity within the sequences' lengths.")
    return lengths


def check_sequences(x: Tensor, lengths: Tensor, config: ModelConfig) -> Tensor:
    """Check a padded batch against a model; returns lengths as int64.

    Raises:
        InvalidInputError: wrong shape or type, a symbol outside the vocabulary, a key that is neither 0
            nor 1, or a length out of range.
    """
    check_tensor("x", x)
    lengths = check_lengths(lengths, config.max_length)
    categorical = config.likelihood == "categorical"
    shape = "[T, B]" if categorical else f"[T, B, {config.vocab_size}]"
    if x.ndim != (2 if categorical else 3) or (not categorical and x.shape[-1] != config.vocab_size):
        raise InvalidInputError(f"x has shape {list(x.shape)}; this model takes {shape}.")
    if x.shape[1] != len(lengths) or x.shape[0] < int(lengths.max()):
        raise InvalidInputError(
            f"x has {x.shape[0]} steps and {x.shape[1]} sequences; the lengths given ask for {int(lengths.max())} "
            f"steps or more and {len(lengths)} sequences."
        )
    whole = x.dtype in _WHOLE
    if categorical and not (whole and int(x.min()) >= 0 and int(x.max()) < config.vocab_size):
        raise InvalidInputError(f"x must hold whole numbers from 0 to {config.vocab_size - 1}, the model's symbols.")
    known = whole or x.is_floating_point() or x.dtype == torch.bool
    if not categorical and not (known and bool(((x == 0) | (x == 1)).all())):
        raise InvalidInputError("a piano roll holds 0 (silent) and 1 (sounding) only.")
    return lengths
