"""The ELBO on validation while training: cheap, and the same noise each time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lnf_core.data import batch_indices, collate
from lnf_core.errors import TrainingError
from lnf_core.training.batches import derive_generator, spread
from lnf_core.training.finite import ADVICE

if TYPE_CHECKING:
    from accelerate import Accelerator

    from lnf_core.models.build import SequenceModel


@dataclass(frozen=True)
class Validation:
    """Nats for each of the T + 1 symbols; lower is better."""

    negative_elbo: float
    """``reconstruction + kl - log p(T)``."""
    reconstruction: float
    kl: float


class Validator:
    """Validates on a fixed choice of batches with fixed posterior noise, so that figures of one run compare.

    Args:
        sequences: The validation split.
        batch_size: Sequences a batch.
        batches: How many batches, see :attr:`TrainConfig.valid_batches`.
        seed: The run's seed.
    """

    def __init__(self, sequences: tuple[Tensor, ...], batch_size: int, *, batches: int, seed: int) -> None:
        self._sequences = sequences
        self._seed = seed
        self._batches = spread(batch_indices([len(s) for s in sequences], batch_size), batches)

    @torch.no_grad()
    def __call__(self, model: SequenceModel, accelerator: Accelerator) -> Validation:
        """Validate ``model`` (not wrapped) as it is; the batches are shared out among the processes.

        Raises:
            TrainingError: a result that is not finite.
        """
        device = accelerator.device
        sums = torch.zeros(4, dtype=torch.float64, device=device)  # log p(x | z), kl, length, symbols
        was_training = model.training
        model.eval()
        for number in range(accelerator.process_index, len(self._batches), accelerator.num_processes):
            batch = collate([self._sequences[index] for index in self._batches[number]]).to(device)
            # One generator a batch: the noise does not depend on how many processes share the work.
            generator = derive_generator(self._seed, "validation", number, device=device)
            with accelerator.autocast():
                elbo = model(batch.x, batch.lengths, 1, generator)
            terms = (elbo.log_px, elbo.kl, elbo.log_p_length, batch.lengths + 1)
            sums += torch.stack([term.double().sum() for term in terms])
        model.train(was_training)
        log_px, kl, length, symbols = accelerator.reduce(sums).tolist()
        result = Validation(
            negative_elbo=(kl - log_px - length) / symbols, reconstruction=-log_px / symbols, kl=kl / symbols
        )
        if not math.isfinite(result.negative_elbo):
            raise TrainingError(f"the validation is not finite: {result}. {ADVICE}")
        return result
