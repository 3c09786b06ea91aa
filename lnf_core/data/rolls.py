"""Piano-roll files to sequences: one time step a row, one of 88 keys a column."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lnf_core.errors import DataError, InvalidInputError

KEYS = 88
"""The keys of a piano: column 0 is MIDI note 21, column 87 is note 108."""

_SPLITS = {"train": "traindata", "valid": "validdata", "test": "testdata"}


def add_dummy_key(roll: Tensor) -> Tensor:
    """The paper's roll ``[..., 89]`` from one of 88 keys: an output that never sounds at index 0, then the keys."""
    return functional.pad(roll, (1, 0))


def piano_keys(roll: Tensor) -> Tensor:
    """A roll ``[T, 88]`` from one of 88 keys, or of 89 as the paper has it: an output at index 0 that never sounds.

    Raises:
        InvalidInputError: another width.
    """
    _check_shape(roll, KEYS, KEYS + 1)
    return roll[:, -KEYS:]


def _check_shape(roll: object, *widths: int) -> None:
    if not isinstance(roll, Tensor):
        raise InvalidInputError(f"The roll is of type {type(roll).__name__}; give a torch.Tensor.")
    if roll.ndim != 2 or roll.shape[1] not in widths:
        raise InvalidInputError(f"The roll has shape {tuple(roll.shape)}; give [T, {KEYS}], one row a step.")


def check_roll(roll: Tensor) -> NDArray[np.bool_]:
    """The roll as a boolean array ``[T, 88]``; ``T`` may be 0.

    Raises:
        InvalidInputError: another shape, or a value that is neither 0 nor 1.
    """
    _check_shape(roll, KEYS)
    values = roll.detach().to("cpu", torch.float32).numpy()
    sounding: NDArray[np.bool_] = values == 1.0
    if not np.all(sounding | (values == 0.0)):
        wrong = values[~sounding & (values != 0.0)][0]
        raise InvalidInputError(f"The roll holds {wrong}; every entry must be 0 or 1. Sample or threshold it first.")
    return sounding


def read_rolls(content: bytes, title: str) -> dict[str, tuple[Tensor, ...]]:
    """The splits of a MATLAB file: ``train``, ``valid`` and ``test``, each piece float32 0/1 ``[T, 88]``.

    Raises:
        DataError: the content is no such file.
    """
    import scipy.io.matlab  # a fifth of a second, and needed only here

    try:
        variables = scipy.io.loadmat(io.BytesIO(content))
        cells = {split: variables[key].ravel() for split, key in _SPLITS.items()}
    except (scipy.io.matlab.MatReadError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise DataError(f"The {title} file holds no piano rolls ({error}): download it again.") from error
    return {split: tuple(_roll(piece, title) for piece in pieces) for split, pieces in cells.items()}


def _roll(piece: object, title: str) -> Tensor:
    array = np.asarray(piece)
    if array.ndim != 2 or array.shape[1] != KEYS or not np.isin(array, (0, 1)).all():
        raise DataError(f"The {title} file holds a piece of shape {array.shape}; expected 0/1 values [T, {KEYS}].")
    return torch.from_numpy(array.astype(np.float32))
