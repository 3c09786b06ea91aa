"""Named training runs: what to train, on what, how.

``<dataset>/<variant>`` are small models that train on one processor core in minutes; ``paper/<dataset>/<variant>``
have the sizes and the schedule of Ziegler & Rush (2019),
for music with their 89 outputs: :meth:`lnf_core.data.Dataset.for_network` gives the data to train them on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lnf_core.config import VARIANTS, BaselineConfig, LatentFlowConfig, ModelConfig
from lnf_core.data import DATASETS, Dataset
from lnf_core.data.rolls import KEYS
from lnf_core.errors import ConfigError
from lnf_core.training.config import TrainConfig

BASELINE = "lstm"
_CROPS = {"batch_size": 16, "crop_steps": 64}


def variant_names() -> tuple[str, ...]:
    """Every variant a preset can train: the paper's flows, the same with affine transforms, the baseline."""
    return (*VARIANTS, *(f"{name}-affine" for name in VARIANTS), BASELINE)


def preset_names() -> tuple[str, ...]:
    """Every name that :func:`preset` takes."""
    groups = (*DATASETS, *(f"paper/{dataset}" for dataset in DATASETS))
    return tuple(f"{group}/{variant}" for group in groups for variant in variant_names())


def preset_dataset(name: str) -> str:
    """The data set a preset trains on.

    Raises:
        ConfigError: no preset of that name.
    """
    if name not in preset_names():
        raise ConfigError(
            f"there is no preset {name!r}; choose a data set of {', '.join(DATASETS)} and one of "
            f"{', '.join(variant_names())}, as in jsb/af-scf, or the same at the paper's sizes, as in paper/jsb/af-scf."
        )
    return name.split("/")[-2]


def preset(name: str, dataset: Dataset) -> TrainConfig:
    """The configuration of a preset, the sizes of ``dataset`` filled in; one's own data may take any of its kind.

    Raises:
        ConfigError: no preset of that name, or one for another data set.
    """
    wanted, variant = preset_dataset(name), name.split("/")[-1]
    fits = DATASETS[wanted].domain == dataset.domain if dataset.name not in DATASETS else wanted == dataset.name
    if not fits:
        raise ConfigError(f"preset {name} trains on {wanted}, not on {dataset.name}.")
    build = _paper if name.startswith("paper/") else _ptb if dataset.domain == "text" else _music
    model, training = build(variant, dataset, wanted)
    return TrainConfig(preset=name, dataset=dataset.name, model=model, **training)


def _model(variant: str, dataset: Dataset, *, flow: dict[str, Any], baseline: dict[str, Any]) -> ModelConfig:
    """The network of one variant: the shared sizes of ``flow``, or those of ``baseline``."""
    data: dict[str, Any] = {
        "vocab_size": dataset.vocab_size,
        "likelihood": dataset.likelihood,
        "max_length": dataset.max_length,
    }
    if variant == BASELINE:
        return BaselineConfig(**data, **baseline)
    time_flow, dimension_flow = VARIANTS[variant.removesuffix("-affine")]
    if dimension_flow == "diagonal":
        flow = {**flow, "flow_layers": 1}  # without coupling a second layer would add nothing
    transform = "affine" if variant.endswith("-affine") else "nlsq"
    return LatentFlowConfig(
        **data,
        **flow,
        time_flow=time_flow,
        dimension_flow=dimension_flow,
        transform=transform,  # type: ignore[arg-type]
    )


def _music(variant: str, dataset: Dataset, like: str) -> tuple[ModelConfig, dict[str, Any]]:
    iaf = variant.startswith("iaf")
    model = _model(
        variant,
        dataset,
        flow={
            "embedding_size": 192,
            "hidden_size": 192,
            "prior_hidden": 256 if iaf else 384,
            "latent_size": 40,
            "flow_layers": 3 if iaf else 5,
            "flow_hidden": 100,
            "dropout": 0.2,
        },
        baseline={"embedding_size": 128, "hidden_size": 256, "dropout": 0.4},
    )
    shared: dict[str, Any] = {
        "batch_size": 8 if iaf else 5,  # the IAF density loops over time: a larger batch costs it little more
        "learning_rate": 1e-3,
        "grad_clip": 1.0,
        "schedule": "cosine",
        "transpose_semitones": 5,
        "ema_decay": 0.998,
    }
    if variant == BASELINE:
        # Chosen on valid together with this rate and dropout; transposition was not varied alone.
        passages = {} if like == "jsb" else _CROPS
        return model, {**shared, **passages, "transpose_semitones": 0, "learning_rate": 3e-3, "max_epochs": 60}
    shared |= {**_geometric(wait=0.7), "warmup_steps": 50}
    if like == "nottingham":  # thirteen times the steps of JSB in an epoch
        return model, {**shared, **_CROPS, "transpose_semitones": 0, "kl_ramp_epochs": 4.0, "max_epochs": 7}
    if like != "jsb":  # few pieces, of thousands of steps
        return model, {**shared, **_CROPS, "kl_ramp_epochs": 12.0, "max_epochs": 30}
    return model, {**shared, "kl_ramp_epochs": 45.0, "max_epochs": 130}


def _ptb(variant: str, dataset: Dataset, like: str) -> tuple[ModelConfig, dict[str, Any]]:
    iaf = variant.startswith("iaf")
    model = _model(
        variant,
        dataset,
        flow={
            "embedding_size": 64,
            "hidden_size": 128,
            "prior_hidden": 192 if iaf else 320,
            "latent_size": 16,
            "flow_layers": 3 if iaf else 4,
            "flow_hidden": 100,
            "dropout": 0.0,
        },
        baseline={"embedding_size": 64, "hidden_size": 400, "dropout": 0.0},
    )
    shared: dict[str, Any] = {
        "batch_size": 32 if iaf or variant == BASELINE else 16,
        "learning_rate": 2e-3 if iaf or variant == BASELINE else 1.5e-3,
        "grad_clip": 1.0,
        "schedule": "cosine",
        "ema_decay": 0.998,
        "max_epochs": 2,
        "warmup_steps": 50,
        "valid_every": 400,
        "valid_batches": 20,
    }
    if variant == BASELINE:
        return model, {**shared, "max_epochs": 1}
    return model, {**shared, **_geometric(wait=0.1), "kl_ramp_steps": 600 if iaf else 900}


def _geometric(*, wait: float) -> dict[str, Any]:
    """The KL schedule of the small presets: a weight of 0.001 until reconstruction is below ``wait`` nats a step."""
    return {"kl_floor": 1e-3, "kl_wait_reconstruction": wait, "kl_ramp": "geometric"}


def _paper(variant: str, dataset: Dataset, like: str) -> tuple[ModelConfig, dict[str, Any]]:
    """The published sizes and schedule; how long to train and when a validation counts as stalled are ours."""
    text = dataset.domain == "text"
    sizes: dict[str, Any] = {"embedding_size": 500, "hidden_size": 500, "positions": "onehot", "dropout": 0.2}
    layers = 3 if text and variant.startswith("iaf") else 5
    flow = {**sizes, "latent_size": 50, "flow_layers": layers, "flow_hidden": 100}
    model = _model(variant, dataset, flow=flow, baseline=sizes)
    if not text:
        model = replace(model, vocab_size=KEYS + 1)  # the keys and one output that never sounds
    few = like in ("jsb", "nottingham")
    training: dict[str, Any] = {
        "batch_size": 15 if text else 5 if few else 1,
        "posterior_samples": 10 if text else 1,
        "learning_rate": 1e-3,
        "grad_clip": 0.25,
        "ema_decay": 0.0,
        "stall_patience": 2,
        "patience": 8,
        "max_epochs": 40 if text else 120,
    }
    if variant == BASELINE:
        return model, {**training, "posterior_samples": 1}
    zero, ramp = (4.0, 10.0) if text else (20.0, 15.0)
    return model, {**training, "kl_zero_epochs": zero, "kl_ramp_epochs": ramp}
