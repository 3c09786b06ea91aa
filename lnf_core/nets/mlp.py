"""Small feed-forward nets."""

from __future__ import annotations

from torch import nn


def mlp(inputs: int, hidden: int, outputs: int, hidden_layers: int = 1) -> nn.Sequential:
    """ReLU net ``inputs -> hidden -> ... -> outputs`` with ``hidden_layers`` hidden layers."""
    layers: list[nn.Module] = []
    for _ in range(hidden_layers):
        layers += [nn.Linear(inputs, hidden), nn.ReLU()]
        inputs = hidden
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def start_near_identity(layer: nn.Linear) -> None:
    """Scale down a layer that emits transform parameters: the flow then starts close to the identity.

    Exactly zero would be a saddle for NLSq (with ``c = 0`` neither ``d`` nor ``f`` has a gradient), so
    the biases stay small and random.
    """
    nn.init.uniform_(layer.weight, -0.01, 0.01)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -0.1, 0.1)
