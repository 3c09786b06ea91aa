"""Frozen configurations: everything needed to build a model, nothing about training it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from lnf_core.errors import ConfigError

Likelihood = Literal["categorical", "bernoulli"]
Positions = Literal["learned", "onehot"]
TimeFlowName = Literal["af", "iaf", "none"]
DimensionFlowName = Literal["af", "scf", "diagonal"]
TransformName = Literal["nlsq", "affine"]
VariantName = Literal["af-af", "af-scf", "iaf-scf", "af-only", "hidden-flow-only"]

# The paper's names (Ziegler & Rush 2019, section 5) and the flow each one stands for.
VARIANTS: dict[str, tuple[TimeFlowName, DimensionFlowName]] = {
    "af-af": ("af", "af"),
    "af-scf": ("af", "scf"),
    "iaf-scf": ("iaf", "scf"),
    "af-only": ("af", "diagonal"),
    "hidden-flow-only": ("none", "af"),
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def require_number(name: str, kind: str, value: object) -> None:
    """A field annotated ``int`` or ``float`` holds a number of that kind; others are checked as choices.

    Raises:
        ConfigError: it holds something else.
    """
    accepted = {"int": (int,), "float": (int, float)}.get(kind, ())
    whole = "a whole number" if kind == "int" else "a number"
    _require(
        not accepted or (isinstance(value, accepted) and not isinstance(value, bool)),
        f"{name} is {value!r}; it must be {whole}.",
    )


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    _require(value in choices, f"{name} is {value!r}; choose one of {', '.join(choices)}.")


@dataclass(frozen=True)
class _SequenceConfig:
    """What a latent flow and the LSTM baseline have in common."""

    vocab_size: int
    """Number of symbols (categorical) or of keys (bernoulli)."""
    likelihood: Likelihood
    """``categorical`` for text, ``bernoulli`` (independent keys) for piano rolls."""
    max_length: int
    """Longest sequence in time steps that the position features can name."""
    embedding_size: int = 500
    hidden_size: int = 500
    """Units of each direction of each LSTM."""
    positions: Positions = "learned"
    """``onehot`` is the paper's; ``learned`` is two small embedding tables."""
    position_size: int = 16
    """Width of each learned table; ignored for one-hot positions."""
    dropout: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            require_number(field.name, str(field.type), getattr(self, field.name))
        for name in ("vocab_size", "max_length", "embedding_size", "hidden_size", "position_size"):
            _require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; it must be at least 1.")
        _require(0.0 <= self.dropout < 1.0, f"dropout is {self.dropout}; it must lie in [0, 1).")
        _require_choice("likelihood", self.likelihood, get_args(Likelihood))
        _require_choice("positions", self.positions, get_args(Positions))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class LatentFlowConfig(_SequenceConfig):
    """A latent flow: encoder, flow prior and decoder. Defaults are the paper's sizes."""

    latent_size: int = 50
    """D, the dimensions of each ``z_t``."""
    time_flow: TimeFlowName = "af"
    """``af``: parallel density, sequential sampling. ``iaf``: the reverse. ``none``: no time context."""
    dimension_flow: DimensionFlowName = "af"
    """``af``: MADE. ``scf``: split coupling. ``diagonal``: dimensions independent given the context."""
    transform: TransformName = "nlsq"
    flow_layers: int = 5
    """L, the layers over dimensions (1 for ``diagonal``)."""
    flow_hidden: int = 100
    """ReLU units of each of the two hidden layers of the nets that emit parameters."""
    prior_layers: int = 2
    """LSTM layers of the flow over time."""
    prior_hidden: int = 0
    """Units of that LSTM; 0 means ``hidden_size``."""
    encoder_layers: int = 2
    decoder_layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("flow_layers", "flow_hidden", "prior_layers", "encoder_layers", "decoder_layers"):
            _require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; it must be at least 1.")
        _require(self.prior_hidden >= 0, f"prior_hidden is {self.prior_hidden}; give 0 (as hidden_size) or more.")
        _require_choice("time_flow", self.time_flow, get_args(TimeFlowName))
        _require_choice("dimension_flow", self.dimension_flow, get_args(DimensionFlowName))
        _require_choice("transform", self.transform, get_args(TransformName))
        least = 2 if self.dimension_flow == "scf" else 1
        _require(self.latent_size >= least, f"latent_size is {self.latent_size}; {self.dimension_flow} needs {least}.")
        _require(
            self.dimension_flow != "diagonal" or self.flow_layers == 1,
            "a diagonal flow has exactly one layer; set flow_layers=1.",
        )
        _require(
            self.time_flow != "none" or self.dimension_flow != "diagonal",
            "without time context the dimensions need a flow (af or scf); diagonal would leave nothing to learn.",
        )

    @property
    def variant(self) -> str:
        """The paper's name, for example ``af-scf``, with ``-affine`` appended for the ablation."""
        pair = (self.time_flow, self.dimension_flow)
        name = next((name for name, flows in VARIANTS.items() if flows == pair), "-".join(pair))
        return name if self.transform == "nlsq" else f"{name}-{self.transform}"


@dataclass(frozen=True)
class BaselineConfig(_SequenceConfig):
    """The exact next-symbol LSTM baseline."""

    layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.layers >= 1, f"layers is {self.layers}; it must be at least 1.")

    @property
    def variant(self) -> str:
        """Always ``lstm``."""
        return "lstm"


ModelConfig = LatentFlowConfig | BaselineConfig
_KINDS: dict[str, type[LatentFlowConfig] | type[BaselineConfig]] = {
    "latent-flow": LatentFlowConfig,
    "lstm-baseline": BaselineConfig,
}


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """``{"kind": ..., **fields}``; the inverse of :func:`config_from_dict`."""
    kind = next(kind for kind, cls in _KINDS.items() if type(config) is cls)
    return {"kind": kind, **config.to_dict()}


def config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Build a config from plain values.

    Raises:
        ConfigError: unknown kind, unknown, missing or mistyped field, or a value out of range.
    """
    given = dict(values)
    kind = str(given.pop("kind", None))
    _require(kind in _KINDS, f"kind is {kind!r}; choose one of {', '.join(_KINDS)}.")
    try:
        return _KINDS[kind](**given)
    except TypeError as error:
        raise ConfigError(f"the configuration of this {kind} does not fit: {error}.") from error
