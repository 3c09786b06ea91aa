from __future__ import annotations

import pytest
import torch
from bijections import assert_depends_exactly, jacobian_of, of_flow, randomise

from lnf_core.flows.autoregressive import AutoregressiveFlow
from lnf_core.nets.made import MADE
from lnf_core.transforms import TRANSFORMS

SIZE, CONTEXT, PARAMETERS = 4, 2, 3


def made(reverse: bool, hidden: int = 60) -> MADE:
    net = MADE(SIZE, CONTEXT, hidden, PARAMETERS, reverse=reverse)
    randomise(net, 1.0)
    return net


@pytest.mark.parametrize("reverse", [False, True])
def test_order_says_what_each_dimension_depends_on(reverse: bool) -> None:
    net = made(reverse)
    assert net.order == ([3, 2, 1, 0] if reverse else [0, 1, 2, 3])
    value, context = torch.randn(SIZE).double(), torch.randn(CONTEXT).double()
    by_value = torch.autograd.functional.jacobian(lambda v: net(v, context), value)  # [D, P, D]
    rank = torch.tensor([net.order.index(dimension) for dimension in range(SIZE)])
    earlier = rank[None, :] < rank[:, None]
    for parameter in range(PARAMETERS):
        assert_depends_exactly(by_value[:, parameter], earlier)
    by_context = torch.autograd.functional.jacobian(lambda c: net(value, c), context)
    assert (by_context != 0).all()  # even the first dimension hears the context


@pytest.mark.parametrize("reverse", [False, True])
def test_degrees(reverse: bool) -> None:
    net = MADE(3, 1, 6, 2, reverse=reverse)
    order = [2, 1, 0] if reverse else [0, 1, 2]
    by_rank = net.input_layer.mask[:, order]  # hidden units of degree 0, 1, 2, 0, 1, 2
    assert by_rank.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]] * 2
    assert net.input_layer.mask[:, 3].all()  # the context
    assert net.hidden_layer.mask[:3, :3].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert net.output_layer.mask.view(2, 3, 6)[:, order, :3].tolist() == [[[1, 0, 0], [1, 1, 0], [1, 1, 1]]] * 2


def test_fewer_hidden_units_than_dimensions_stay_autoregressive() -> None:
    net = made(reverse=False, hidden=2)
    value, context = torch.randn(SIZE).double(), torch.randn(CONTEXT).double()
    by_value = torch.autograd.functional.jacobian(lambda v: net(v, context), value)
    assert (by_value.sum(1).triu() == 0).all()


def test_masked_weights_get_no_gradient() -> None:
    net = made(reverse=False)
    net(torch.randn(5, SIZE).double(), torch.randn(5, CONTEXT).double()).sum().backward()
    for layer in (net.input_layer, net.hidden_layer, net.output_layer):
        assert layer.weight.grad is not None
        assert (layer.weight.grad[layer.mask == 0] == 0).all()


def test_layers_are_bare_at_the_start() -> None:
    """Freshly made, the emitted parameters are small but not zero: zero would be a saddle of NLSq."""
    net = MADE(SIZE, CONTEXT, 30, PARAMETERS, reverse=False)
    outputs = net(torch.randn(100, SIZE), torch.randn(100, CONTEXT))
    assert outputs.abs().max() < 0.5 and (outputs != 0).all()


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("reverse", [False, True])
def test_sequential_inverse_is_the_fixed_point_of_the_density_direction(name: str, reverse: bool) -> None:
    """Dimension by dimension, ``u_d <- g_d^-1(eps_d)`` with the parameters of the whole current guess."""
    transform = TRANSFORMS[name]  # type: ignore[index]
    flow = AutoregressiveFlow(SIZE, CONTEXT, 20, transform, reverse=reverse)
    randomise(flow, 0.4)
    eps, context = torch.randn(6, SIZE).double(), torch.randn(6, CONTEXT).double()
    guess = torch.zeros_like(eps)
    for _ in range(SIZE):  # exact after D sweeps, because the net is autoregressive
        guess, log_slope = transform.inverse(eps, flow.net(guess, context))
    found, log_det = flow.inverse(eps, context)
    torch.testing.assert_close(found, guess, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(log_det, log_slope.sum(-1), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("reverse", [False, True])
def test_autoregressive_flow_is_triangular_in_its_order(reverse: bool) -> None:
    flow = AutoregressiveFlow(SIZE, CONTEXT, 40, TRANSFORMS["nlsq"], reverse=reverse)
    randomise(flow, 0.4)
    bijection = of_flow(flow, torch.randn(CONTEXT).double())
    allowed = torch.ones(SIZE, SIZE, dtype=torch.bool).tril()
    for direction in (bijection.forward, bijection.inverse):
        matrix = jacobian_of(direction, torch.randn(SIZE).double(), *bijection.inputs)
        assert_depends_exactly(matrix, allowed.T if reverse else allowed)
