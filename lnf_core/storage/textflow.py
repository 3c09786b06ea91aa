"""Read state dicts of the reference implementation (GitHub harvardnlp/TextFlow).

Sizes are read off the tensors; what they cannot tell (AF or IAF over time, the likelihood) is found
from what is there or asked for. Only weights are loaded: nothing is unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lnf_core.config import VARIANTS, LatentFlowConfig, Likelihood, VariantName
from lnf_core.errors import CheckpointError, ConfigError
from lnf_core.models.latent_flow import LatentFlow

_FLOW = "generative_model.prior.flow.flow.0."
_STEP = _FLOW + "outp_net."
# Made by the reference from the sizes, or a copy of a tied weight: nothing to read.
_DERIVED = re.compile(r"(\.mask|^cross_entropy\.weight|^outp_ff\.network\.1\.weight)$")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``.pt`` file (weights-only loading) or a ``.safetensors`` file, by name.

    Raises:
        CheckpointError: no such file, or one that holds anything but tensors.
    """
    try:
        if not path.is_file():
            raise CheckpointError(
                f"there is no file {path}; give the model.pt that the reference implementation saved."
            )
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, RuntimeError, OSError, ValueError, KeyError, EOFError) as error:
        raise CheckpointError(
            f"{path} is not a readable state dict; it may be truncated or of another kind."
        ) from error
    except CheckpointError:
        raise
    except Exception as error:  # torch.load raises pickle errors of several classes for anything but tensors
        raise CheckpointError(
            f"{path} is no file of tensors alone and is not loaded; save model.state_dict() by itself."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no state dict; give the model.pt that the reference implementation saved.")
    return {str(name): value for name, value in state.items()}


def infer_config(
    state: Mapping[str, Tensor], *, variant: VariantName | None, likelihood: Likelihood
) -> LatentFlowConfig:
    """The configuration of a reference state dict.

    Args:
        state: its tensors.
        variant: needed to tell AF/SCF from IAF/SCF, whose tensors look alike; otherwise found.
        likelihood: ``categorical`` or ``bernoulli``.

    Raises:
        CheckpointError: tensors are missing, or the variant cannot be told or does not fit.
    """
    found = _dimension_flow(state)
    if variant is None:
        if found == "scf":
            raise CheckpointError("AF/SCF and IAF/SCF have the same tensors; say which one with --variant.")
        no_context = _FLOW + "lstm.weight_ih_l0" not in state
        variant = "hidden-flow-only" if no_context else "af-af" if found == "af" else "af-only"
    if variant not in VARIANTS:
        raise CheckpointError(f"there is no variant {variant!r}; choose one of {', '.join(VARIANTS)}.")
    if VARIANTS[variant][1] != found:
        raise CheckpointError(f"these weights have a {found} flow over dimensions, which {variant} does not.")
    time_flow = VARIANTS[variant][0]
    try:
        latent = state["inference_model.q_base_ff.bias"].numel() // 2
        vocab, embedding = state["input_embedding.weight"].shape
        hidden = state["inference_model.rnn_q.weight_hh_l0"].shape[1]
        width = state["inference_model.rnn_q.weight_ih_l0"].shape[1] - embedding
        flow_layers, flow_hidden, parameters = _flow_sizes(state, found, latent)
    except KeyError as error:
        raise CheckpointError(f"the tensor {error} is missing; this is no latent flow of the reference.") from error
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise CheckpointError(f"the sizes of the tensors name no model of the reference: {error}.") from error
    recurrent = state.get(_FLOW + "lstm.weight_hh_l0")
    prior_hidden = 0 if recurrent is None else recurrent.shape[1]
    prior_layers = _count(state, _FLOW + r"lstm\.weight_hh_l(\d+)") or 1
    try:
        return LatentFlowConfig(
            vocab_size=vocab, likelihood=likelihood, max_length=width // 2, embedding_size=embedding,
            hidden_size=hidden, positions="onehot", latent_size=latent, time_flow=time_flow, dimension_flow=found,
            transform="nlsq" if parameters == 5 else "affine", flow_layers=flow_layers, flow_hidden=flow_hidden,
            prior_layers=prior_layers, prior_hidden=prior_hidden,
            encoder_layers=_count(state, r"inference_model\.rnn_q\.weight_hh_l(\d+)"),
            decoder_layers=_count(state, r"generative_model\.rnn_outp\.weight_hh_l(\d+)"),
        )  # fmt: skip
    except ConfigError as error:
        raise CheckpointError(f"the sizes of the tensors name no model of the reference: {error}") from error


def _dimension_flow(state: Mapping[str, Tensor]) -> Literal["af", "scf", "diagonal"]:
    if _STEP + "flow.0.made.network.0.weight" in state:
        return "af"
    if _STEP + "flow.0.net.network.0.weight" in state:
        return "scf"
    if _STEP + "weight" in state:
        return "diagonal"
    raise CheckpointError("no flow over dimensions was found; this is no latent flow of the reference implementation.")


def _flow_sizes(state: Mapping[str, Tensor], flow: str, latent: int) -> tuple[int, int, int]:
    """Layers, hidden units and parameters of each transform."""
    if flow == "diagonal":
        return 1, 100, state[_STEP + "bias"].numel() // latent
    layers = _count(state, _STEP.replace(".", r"\.") + r"flow\.(\d+)\.\w+\.network\.0\.weight")
    if flow == "af":
        made = _STEP + "flow.0.made.network."
        return layers, state[made + "0.bias"].numel(), state[made + "2.bias"].numel() // latent
    net = _STEP + "flow.0.net.network."
    return layers, state[net + "0.bias"].numel(), state[net + "4.bias"].numel() // (latent - latent // 2)


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return len({match[1] for name in state if (match := re.fullmatch(pattern, name))})


def _name_map(config: LatentFlowConfig) -> dict[str, str]:
    """Our parameter names to the reference's."""
    names = {
        "emission.embedding.weight": "input_embedding.weight",
        "emission.hidden.weight": "outp_ff.network.0.weight",
        "emission.hidden.bias": "outp_ff.network.0.bias",
        "emission.bias": "outp_ff.network.1.bias",
    }
    linears = {"encoder.output": "inference_model.q_base_ff"}
    if config.time_flow != "none":
        linears |= {f"prior.context.initial.{i}": f"{_FLOW}initial_hidden_cond_ff.network.{i}" for i in (0, 2)}
        for layer in range(config.prior_layers):
            for part in _LSTM_PARTS:
                names[f"prior.context.lstm.{part}_l{layer}"] = f"{_FLOW}lstm.{part}_l{layer}"
    if config.dimension_flow == "diagonal":
        linears["prior.stack.layers.0.net"] = _STEP.removesuffix(".")
    for layer in range(config.flow_layers if config.dimension_flow != "diagonal" else 0):
        # The reference runs its IAF layers from the last to the first for z -> eps.
        theirs = config.flow_layers - 1 - layer if config.time_flow == "iaf" else layer
        ours, reference = f"prior.stack.layers.{layer}.net", f"{_STEP}flow.{theirs}"
        if config.dimension_flow == "af":
            for index, part in enumerate(("input_layer", "hidden_layer", "output_layer")):
                linears[f"{ours}.{part}"] = f"{reference}.made.network.{index}"
        else:
            linears |= {f"{ours}.{index}": f"{reference}.net.network.{index}" for index in (0, 2, 4)}
    for ours, reference in linears.items():
        names[f"{ours}.weight"], names[f"{ours}.bias"] = f"{reference}.weight", f"{reference}.bias"
    for ours, reference, layers in (
        ("encoder", "inference_model.rnn_q", config.encoder_layers),
        ("decoder", "generative_model.rnn_outp", config.decoder_layers),
    ):
        for layer in range(layers):
            for part in _LSTM_PARTS:
                names[f"{ours}.lstm.forward_layers.{layer}.{part}_l0"] = f"{reference}.{part}_l{layer}"
                names[f"{ours}.lstm.backward_layers.{layer}.{part}_l0"] = f"{reference}.{part}_l{layer}_reverse"
    return names


_LSTM_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def from_state_dict(
    state: Mapping[str, Tensor],
    length_counts: Tensor | None = None,
    *,
    variant: VariantName | None = None,
    likelihood: Likelihood = "categorical",
) -> LatentFlow:
    """Build a model from a reference state dict; every tensor is used or known to be derived.

    ``length_counts`` defaults to a flat p(T): the reference does not store its histogram.

    Raises:
        CheckpointError: a tensor is missing, left over, or of another shape.
    """
    config = infer_config(state, variant=variant, likelihood=likelihood)
    counts = torch.ones(config.max_length + 1) if length_counts is None else length_counts
    if len(counts) != config.max_length + 1:
        raise CheckpointError(
            f"the weights name {config.max_length} positions, the length histogram {len(counts) - 1}."
        )
    model = LatentFlow(config, counts)
    names = _name_map(config)
    missing = sorted(set(names.values()) - set(state))
    extra = sorted(name for name in set(state) - set(names.values()) if not _DERIVED.search(name))
    if missing or extra:
        raise CheckpointError(
            f"the state dict does not fit {config.variant}: missing {missing[:3]}, left over {extra[:3]}."
        )
    tensors = {ours: state[theirs] for ours, theirs in names.items()} | {
        "length_prior.log_probs": model.length_prior.log_probs
    }
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"the tensors do not fit {config.variant}: {error}") from error
    return model.eval()


def import_textflow(
    path: Path,
    length_counts: Tensor | None = None,
    *,
    variant: VariantName | None = None,
    likelihood: Likelihood = "categorical",
) -> LatentFlow:
    """:func:`read_state_dict`, then :func:`from_state_dict`."""
    return from_state_dict(read_state_dict(path), length_counts, variant=variant, likelihood=likelihood)
