"""Symbols in, symbols out: embedding, logits, log-probabilities and draws for both likelihoods."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lnf_core.config import Likelihood


class Emission(nn.Module):
    """The embedding table, shared by the input and the last linear layer of the output.

    ``categorical``: x is int64 ``[T, B]``, one of V symbols. ``bernoulli``: x is 0/1 ``[T, B, V]``, V keys;
    its embedding is the sum of the embeddings of the sounding keys.
    """

    def __init__(self, vocab_size: int, embedding_size: int, context_size: int, likelihood: Likelihood) -> None:
        """``context_size`` is the width of the features from which logits are computed."""
        super().__init__()
        self.likelihood = likelihood
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.hidden = nn.Linear(context_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def embed(self, x: Tensor) -> Tensor:
        """``[T, B]`` or ``[T, B, V]`` to ``[T, B, E]``."""
        if self.likelihood == "categorical":
            embedded: Tensor = self.embedding(x.long())
            return embedded
        return x.to(self.embedding.weight.dtype) @ self.embedding.weight

    def logits(self, features: Tensor) -> Tensor:
        """``[..., C] -> [..., V]``: two linear layers with nothing between them."""
        return functional.linear(self.hidden(features), self.embedding.weight, self.bias).to(self.bias.dtype)

    def log_prob(self, logits: Tensor, x: Tensor) -> Tensor:
        """``log p(x_t)`` in nats: logits ``[..., T, B, V]`` and x to ``[..., T, B]``."""
        if self.likelihood == "categorical":
            index = x.long().expand(logits.shape[:-1])[..., None]
            return functional.log_softmax(logits, -1).gather(-1, index).squeeze(-1)
        # log p = x * logit - log(1 + e^logit), summed over keys.
        return (x.to(logits.dtype) * logits - functional.softplus(logits)).sum(-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of each symbol (sums to 1) or of each key sounding, ``[..., V]``."""
        return logits.softmax(-1) if self.likelihood == "categorical" else logits.sigmoid()

    def uniform_shape(self) -> tuple[int, ...]:
        """How many uniform numbers a draw of one x_t takes: one, or one a key."""
        return () if self.likelihood == "categorical" else (len(self.bias),)

    def pick(self, probabilities: Tensor, uniforms: Tensor | None) -> Tensor:
        """X from probabilities ``[..., V]``: the draws ``uniforms`` stand for, or the most likely without them.

        ``uniforms`` are float64 in [0, 1), ``[...]`` (categorical, read through the inverse of the distribution
        function) or ``[..., V]``. Returns int64 ``[...]`` or 0/1 floats ``[..., V]``.
        """
        if self.likelihood == "categorical":
            if uniforms is None:
                return probabilities.argmax(-1)
            below = probabilities.double().cumsum(-1) <= uniforms[..., None]
            # Rounded probabilities may add up to a little less than the largest uniform number.
            return below.sum(-1).clamp_max(probabilities.shape[-1] - 1)
        threshold = 0.5 if uniforms is None else uniforms
        return (probabilities > threshold).to(probabilities.dtype)
