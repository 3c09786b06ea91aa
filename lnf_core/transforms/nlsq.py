r"""NLSq, the non-linear squared map of Ziegler & Rush (2019), section 4.2.

.. math:: g(u) = a + b u + \frac{c}{1 + (d u + f)^2}

with ``b = exp(0.4 beta)``, ``d = exp(0.4 delta)`` and ``c = tanh(0.3 gamma) A b / d``. The bound
``A = 8 sqrt(3) / 9 - 0.05`` keeps the slope above about 3 % of ``b``, so ``g`` is strictly increasing.
One NLSq turns a unimodal base into a bimodal density; a stack makes many modes.

Everything below works in the coordinate ``w = d u``, in which the map has only two parameters,
``k = tanh(0.3 gamma) A`` and ``f``:

.. math:: (g(u) - a) \, d / b = w + \frac{k}{1 + (w + f)^2}, \qquad
          g'(u) = b \left(1 - \frac{2 k v}{(1 + v^2)^2}\right), \quad v = w + f.

No quotient of large numbers is left, so neither direction overflows before its result does.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BUMP_BOUND = 8.0 * math.sqrt(3.0) / 9.0 - 0.05
# Beyond this the bump k / (1 + v^2) is below the spacing of float64 relative to v: the root is v itself.
_FAR = 1.0e6
_NEWTON_STEPS = 3


def _log_relative_slope(v: Tensor, k: Tensor) -> Tensor:
    """``log(g'(u) / b)``; the reciprocal is squared (not 1 + v^2), so that a huge v gives 0 and no inf * 0."""
    reciprocal = 1.0 / (1.0 + v * v)
    return torch.log1p(-2.0 * k * v * reciprocal * reciprocal)


def _closed_form_root(target: Tensor, k: Tensor) -> Tensor:
    """The one real root of ``v^3 - y v^2 + v + (k - y) = 0`` (Cardano, hyperbolic form), to about 1e-10."""
    y = target.clamp(-_FAR, _FAR)
    p = 1.0 - y * y / 3.0
    q = k - y * (2.0 * y * y / 27.0 + 2.0 / 3.0)
    # p = 0 is a removable singularity of the formula; the tiny floor keeps it finite and Newton repairs the rest.
    size = p.abs().clamp_min(1e-30)
    radius = torch.sqrt(size / 3.0)
    ratio = 1.5 * q / (size * radius)  # sinh or cosh of three times the angle
    one_turn = -2.0 * radius * torch.sinh(torch.asinh(ratio) / 3.0)
    # g increases, so there is one real root and |ratio| >= 1 exactly; the clamp only absorbs rounding.
    two_turns = -2.0 * radius * torch.copysign(torch.cosh(torch.acosh(ratio.abs().clamp_min(1.0)) / 3.0), q)
    root = torch.where(p > 0, one_turn, two_turns) + y / 3.0
    return torch.where(target.abs() > _FAR, target, root)


@torch.no_grad()
def _solve(s: Tensor, k: Tensor, f: Tensor) -> Tensor:
    """Solve ``w + k / (1 + (w + f)^2) = s`` in float64.

    The closed form finds the root in ``v = w + f``; the Newton steps run on ``w`` itself, so that a
    large ``f`` does not eat the digits of a small ``w``. They stay in the bracket ``s -+ |k|``, where
    the root must lie.
    """
    low, high = s - k.abs(), s + k.abs()
    w = torch.minimum(torch.maximum(_closed_form_root(s + f, k) - f, low), high)
    for _ in range(_NEWTON_STEPS):
        v = w + f
        bump = 1.0 / (1.0 + v * v)
        slope = 1.0 - 2.0 * k * v * bump * bump
        w = torch.minimum(torch.maximum(w - (w + k * bump - s) / slope, low), high)
    return w


class NLSq:
    """The non-linear squared map; parameters ``(a, beta, gamma, delta, f)``."""

    num_parameters = 5

    def forward(self, value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`~lnf_core.transforms.base.ElementwiseTransform`."""
        a, beta, gamma, delta, f = parameters.unbind(-1)
        b = torch.exp(0.4 * beta)
        k = torch.tanh(0.3 * gamma) * BUMP_BOUND
        v = torch.exp(0.4 * delta) * value + f
        image = a + b * value + k * torch.exp(0.4 * (beta - delta)) / (1.0 + v * v)
        return image, 0.4 * beta + _log_relative_slope(v, k)

    def inverse(self, value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`~lnf_core.transforms.base.ElementwiseTransform`.

        Computed in float64 and returned in the dtype of ``value``. First derivatives are exact: one
        differentiable Newton step at the root carries the implicit derivative.
        """
        a, beta, gamma, delta, f = parameters.double().unbind(-1)
        k = torch.tanh(0.3 * gamma) * BUMP_BOUND
        log_d = 0.4 * delta
        s = (value.double() - a) * torch.exp(log_d - 0.4 * beta)
        w = _solve(s, k, f)
        if torch.is_grad_enabled() and (value.requires_grad or parameters.requires_grad):
            v = w + f
            bump = 1.0 / (1.0 + v * v)
            slope = (1.0 - 2.0 * k * v * bump * bump).detach()
            # The residual is zero to rounding, so only its derivative enters: dw = (ds - dk bump - ...) / slope.
            w = w - (w + k * bump - s) / slope
        u = w * torch.exp(-log_d)
        log_slope = -(0.4 * beta + _log_relative_slope(w + f, k))
        return u.to(value.dtype), log_slope.to(value.dtype)
