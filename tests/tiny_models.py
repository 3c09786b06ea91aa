"""Untrained models of a few hundred weights, and checkpoints of them."""

from __future__ import annotations

from pathlib import Path

import torch

from lnf_core.config import VARIANTS, BaselineConfig, LatentFlowConfig, ModelConfig
from lnf_core.data import Vocabulary
from lnf_core.models.build import SequenceModel, build_model
from lnf_core.storage.bundle import save_checkpoint

SYMBOLS = Vocabulary.from_list(["<pad>", "<unk>", *"abcdefgh "])
MAX_LENGTH = 12


def tiny_config(variant: str = "af-scf", domain: str = "music") -> ModelConfig:
    common = {
        "vocab_size": len(SYMBOLS) if domain == "text" else 88,
        "likelihood": "categorical" if domain == "text" else "bernoulli",
        "max_length": MAX_LENGTH,
        "embedding_size": 4,
        "hidden_size": 3,
        "position_size": 2,
    }
    if variant == "lstm":
        return BaselineConfig(**common, layers=1)
    time_flow, dimension_flow = VARIANTS[variant.removesuffix("-affine")]
    return LatentFlowConfig(
        **common,
        latent_size=4,
        time_flow=time_flow,
        dimension_flow=dimension_flow,
        transform="affine" if variant.endswith("-affine") else "nlsq",
        flow_layers=1 if dimension_flow == "diagonal" else 2,
        flow_hidden=4,
        prior_layers=1,
        encoder_layers=1,
        decoder_layers=1,
    )


def tiny_model(variant: str = "af-scf", domain: str = "music") -> SequenceModel:
    counts = torch.zeros(MAX_LENGTH + 1)
    counts[3:] = torch.arange(1.0, MAX_LENGTH - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return build_model(tiny_config(variant, domain), counts).eval()


def save_tiny(folder: Path, variant: str = "af-scf", domain: str = "music", **arguments: object) -> SequenceModel:
    model = tiny_model(variant, domain)
    known = {
        "dataset": "ptb" if domain == "text" else "jsb",
        "vocabulary": SYMBOLS if domain == "text" else None,
        "training": {"preset": f"tiny/{variant}"},
    }
    save_checkpoint(folder, model, **(known | arguments))  # type: ignore[arg-type]
    return model
