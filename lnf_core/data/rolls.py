"""Piano-roll files to sequences: one time step a row, one of 88 keys a column."""

from __future__ import annotations

import io

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lnf_core.errors import DataError

KEYS = 88
"""The keys of a piano: column 0 is MIDI note 21, column 87 is note 108."""

_SPLITS = {"train": "traindata", "valid": "validdata", "test": "testdata"}


def add_dummy_key(roll: Tensor) -> Tensor:
    """The paper's roll ``[..., 89]`` from one of 88 keys: an output that never sounds at index 0, then the keys."""
    return functional.pad(roll, (1, 0))


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
