"""A model's weights to and from a safetensors file: shared tensors once, strict in names and shapes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lnf_core.errors import CheckpointError


def stored_tensors(model: nn.Module, dtype: torch.dtype, folder: Path) -> dict[str, Tensor]:
    """One contiguous CPU tensor for each distinct tensor of the model; parameters cast to ``dtype``.

    Raises:
        CheckpointError: a parameter that is not finite in ``dtype``.
    """
    state, parameters = model.state_dict(), _parameters(model)
    stored = {}
    for names in tied_names(model):
        value = state[names[0]].detach().cpu()
        if names[0] in parameters:
            value = value.to(dtype)
            if not bool(torch.isfinite(value).all()):
                raise CheckpointError(
                    f"{names[0]} holds values that are not finite in {dtype}; {folder} was not written: "
                    "go back to an earlier checkpoint."
                )
        stored[names[0]] = value.contiguous()
    return stored


def tied_names(model: nn.Module) -> list[tuple[str, ...]]:
    """Names in the state dict, grouped by the memory they share, in a stable order."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, value in model.state_dict().items():
        place = (value.device, value.data_ptr(), tuple(value.shape), value.stride(), value.dtype)
        # Empty tensors all have the null pointer, and are still different tensors.
        groups.setdefault(place if value.numel() else (name,), []).append(name)
    return [tuple(sorted(names)) for names in groups.values()]


@contextmanager
def open_weights(path: Path) -> Iterator[Any]:
    """The open safetensors file at ``path``; its header is checked against its size.

    Raises:
        CheckpointError: missing, truncated or not a safetensors file.
    """
    if not path.is_file():
        raise CheckpointError(f"{path.parent} has no {path.name}: it is not a complete checkpoint.")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not safetensors ({error}): fetch or save it again.") from error


def fill(model: nn.Module, path: Path) -> None:
    """Copy the stored weights into ``model``; every tensor must be there, once, in the right shape.

    Raises:
        CheckpointError: missing, foreign or misshapen tensors, NaN, infinite parameters, or a file that cannot be read.
    """
    state, parameters = model.state_dict(), _parameters(model)
    groups = tied_names(model)
    with open_weights(path) as file, torch.no_grad():
        stored = set(file.keys())
        chosen = [next((name for name in names if name in stored), names[0]) for names in groups]
        missing, unexpected = sorted(set(chosen) - stored), sorted(stored - set(chosen))
        if missing or unexpected:
            faults = [("lacks", missing), ("has the foreign", unexpected)]
            said = " and ".join(f"{fault} {_some(names)}" for fault, names in faults if names)
            raise CheckpointError(f"{path} {said}: it is not the model its config.json describes.")
        for name in chosen:
            value, target = file.get_tensor(name), state[name]
            if value.shape != target.shape or value.is_floating_point() != target.is_floating_point():
                raise CheckpointError(
                    f"{name} in {path} is {value.dtype} {tuple(value.shape)}, its config.json describes "
                    f"{target.dtype} {tuple(target.shape)}: the two do not belong together."
                )
            target.copy_(value)
            # A buffer may say log 0; a weight that is infinite, or too large for float32, makes NaN of what it meets.
            wrong = torch.isnan(target) if name not in parameters else ~torch.isfinite(target)
            if bool(wrong.any()):
                held = "NaN" if bool(torch.isnan(target).any()) else "an infinite value"
                raise CheckpointError(f"{name} in {path} holds {held}: fetch the checkpoint again or train anew.")


def _parameters(model: nn.Module) -> set[str]:
    """Names in the state dict of what is learnt; the rest are buffers."""
    return {name for name, _ in model.named_parameters(remove_duplicate=False)}


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
