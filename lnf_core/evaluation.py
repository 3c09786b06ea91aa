"""The evaluation protocol: the one way every reported number is computed.

``NLL = -[log mean_k exp(log p(x, z_k | T) - log q(z_k | x)) + log p(T)]``, summed over a split and
divided by ``sum(T + 1)``: a sequence of T symbols carries T + 1 choices, the last being where to stop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lnf_core.checks import check_numbers, check_positive, check_tensor
from lnf_core.data import add_dummy_key, batch_indices, collate
from lnf_core.errors import CheckpointError, InvalidInputError
from lnf_core.models.build import SequenceModel
from lnf_core.progress import Progress

if TYPE_CHECKING:
    from lnf_core.data import Dataset, Domain
    from lnf_core.storage.bundle import Checkpoint

# K of the paper: the two sets with long pieces use fewer samples.
_FEWER_SAMPLES = {"piano-midi": 4, "muse": 4}
_SAMPLES = 30


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one split. All are negative log-likelihoods or bounds on them: lower is better."""

    sequences: int
    samples: int
    """K, the importance samples behind ``nll`` (an exact model does not need them)."""
    nll: float
    """Importance-sampled negative log-likelihood in nats, divided by ``sum(T + 1)``."""
    nll_per_step: float
    """The same, divided by ``sum(T)``."""
    negative_elbo: float
    """The negative ELBO (K = 1, averaged over the K draws) in nats, divided by ``sum(T + 1)``."""
    reconstruction: float
    """Its part ``-E_q log p(x | z)``, in nats, divided by ``sum(T + 1)``."""
    kl: float
    """Its part ``KL(q(z | x) || p(z | T))``, in nats, divided by ``sum(T + 1)``."""
    bpc: float | None
    """``nll / ln 2`` for text, in bits per character; ``None`` for music."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    sequences: Sequence[Tensor],
    *,
    domain: Domain,
    samples: int,
    batch_size: int = 16,
    max_rows: int = 256,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a model on a split.

    Args:
        model: any of the package's models; put into evaluation mode and left there.
        sequences: int64 ``[T]`` or 0/1 ``[T, V]`` tensors.
        domain: text is also reported in bits per character.
        samples: K.
        batch_size: sequences encoded together.
        max_rows: most sequences times samples in flight at once, or ``batch_size`` if that is more.
        generator: randomness of the posterior draws.
        progress: called with ``(sequences done, sequences)``.

    Raises:
        InvalidInputError: no sequences, numbers below 1, sequences or a domain that do not fit the model, or a model
            that gives no numbers.
    """
    samples, batch_size = check_positive("samples", samples), check_positive("batch_size", batch_size)
    max_rows = check_positive("max_rows", max_rows)
    if isinstance(sequences, Tensor) or not len(sequences):
        raise InvalidInputError("sequences must be a list of one tensor or more, each without padding.")
    for sequence in sequences:
        check_tensor("a sequence", sequence)
    own = "text" if model.config.likelihood == "categorical" else "music"
    if domain != own:
        raise InvalidInputError(f"the domain is {domain!r}; this model's is {own}.")
    model.eval()
    device = model.device
    lengths = [len(sequence) for sequence in sequences]
    total = torch.zeros(4, dtype=torch.float64)  # nll, negative ELBO, reconstruction, kl
    done = 0
    for batch in batch_indices(lengths, batch_size):
        data = collate([sequences[index] for index in batch]).to(device)
        bound = model.bound(data.x, data.lengths, samples, generator, max_rows)
        terms = (-bound.log_likelihood, -bound.elbo, -bound.log_px, bound.kl)
        total += torch.stack([term.sum() for term in terms]).cpu()
        done += len(batch)
        if progress:
            progress(done, len(sequences))
    check_numbers(total)
    nll, negative_elbo, reconstruction, kl = (total / (sum(lengths) + len(lengths))).tolist()
    return Evaluation(
        sequences=len(sequences),
        samples=samples,
        nll=nll,
        nll_per_step=float(total[0]) / sum(lengths),
        negative_elbo=negative_elbo,
        reconstruction=reconstruction,
        kl=kl,
        bpc=nll / math.log(2.0) if domain == "text" else None,
    )


@torch.no_grad()
def probe(model: SequenceModel) -> float:
    """The negative ELBO in nats a symbol of three made-up sequences with fixed noise, in float32 on the CPU.

    Kept with a released checkpoint, it shows without any data that the code still computes what it computed then.
    """
    config = model.config
    lengths = torch.tensor([5, 17, 40]).clamp_max(config.max_length)
    t, b = torch.arange(int(lengths.max()))[:, None], torch.arange(len(lengths))
    if config.likelihood == "categorical":
        x = (7 * t + 3 * b + t * t % 5) % config.vocab_size
    else:
        keys = torch.arange(config.vocab_size)
        x = ((keys - 3 * t[..., None] - 5 * b[:, None]) % 19 == 0).float()
    elbo = model.eval().elbo(x, lengths, 1, torch.Generator().manual_seed(0))
    return -float(elbo.value.double().sum()) / int((lengths + 1).sum())


def protocol_samples(checkpoint: Checkpoint) -> int:
    """K of the protocol: 1 where the likelihood is exact, else the paper's number for the data set."""
    if checkpoint.variant == "lstm":
        return 1
    return _FEWER_SAMPLES.get(checkpoint.dataset, _SAMPLES)


def sequences_for(checkpoint: Checkpoint, dataset: Dataset, split: str) -> list[Tensor]:
    """A split in the symbols of the checkpoint, which may number characters or keys differently.

    Raises:
        CheckpointError: the data holds symbols the checkpoint does not know.
    """
    sequences = list(dataset.split(split))
    size = checkpoint.model.config.vocab_size
    if dataset.vocabulary is None:
        if size == dataset.vocab_size + 1:  # the paper's roll has an output that never sounds at index 0
            return [add_dummy_key(roll) for roll in sequences]
        if size != dataset.vocab_size:
            raise CheckpointError(f"{checkpoint.path} has {size} keys; {dataset.title} has {dataset.vocab_size}.")
        return sequences
    if checkpoint.vocabulary is None:
        raise CheckpointError(
            f"{checkpoint.path} has no vocabulary, so its symbols cannot be told; import it again with --vocabulary."
        )
    if checkpoint.vocabulary.symbols == dataset.vocabulary.symbols:
        return sequences
    known = {symbol: index for index, symbol in enumerate(checkpoint.vocabulary.symbols)}
    table = torch.tensor([known.get(symbol, -1) for symbol in dataset.vocabulary.symbols])
    renumbered = [table[sequence] for sequence in sequences]
    if any(bool((sequence < 0).any()) for sequence in renumbered):
        raise CheckpointError(f"{dataset.title} holds characters that {checkpoint.path} does not know.")
    return renumbered
