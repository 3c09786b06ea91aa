"""The flow over time, against its own Jacobian over all of T, B and D."""

from __future__ import annotations

import pytest
import torch
from bijections import Bijection, assert_depends_exactly, check_bijection, jacobian_of, randomise
from torch import Tensor

from lnf_core.config import LatentFlowConfig
from lnf_core.flows.time import TimeFlow
from lnf_core.nets.positions import step_mask

SIZE, POSITION = 2, 3
LENGTHS = torch.tensor([3, 1, 2])
MASK = step_mask(LENGTHS, 3)
FLOWS = [
    (time, dimensions, transform)
    for time in ("af", "iaf", "none")
    for dimensions in ("af", "scf", "diagonal")
    for transform in ("nlsq", "affine")
    if (time, dimensions) != ("none", "diagonal")
]
every_flow = pytest.mark.parametrize(("time", "dimensions", "transform"), FLOWS)


def time_flow(time: str, dimensions: str, transform: str = "nlsq", *, scale: float = 0.4, layers: int = 2) -> TimeFlow:
    config = LatentFlowConfig(
        vocab_size=2,
        likelihood="categorical",
        max_length=9,
        latent_size=SIZE,
        time_flow=time,  # type: ignore[arg-type]
        dimension_flow=dimensions,  # type: ignore[arg-type]
        transform=transform,  # type: ignore[arg-type]
        flow_layers=1 if dimensions == "diagonal" else layers,
        flow_hidden=6,
        prior_hidden=4,
    )
    flow = TimeFlow(config, POSITION).eval()
    randomise(flow, scale)
    return flow


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def flat(flow: TimeFlow, mask: Tensor) -> Bijection:
    """The map of the real steps alone, flattened step by step: ``[steps of all sequences * D]``."""

    def direction(map_):  # noqa: ANN001, ANN202
        def run(value: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
            flow.to(value.dtype)
            padded = value.new_zeros(*mask.shape, SIZE).index_put((mask,), value.view(-1, SIZE))
            image, log_det = map_(padded, mask.sum(0), positions)
            return image[mask].flatten(), log_det.sum()

        return run

    return Bijection(direction(flow.forward), direction(flow.inverse), (normal(*mask.shape, POSITION, seed=5),))


@every_flow
def test_time_flow_is_a_bijection_of_the_real_steps(time: str, dimensions: str, transform: str) -> None:
    value = normal(int(MASK.sum()) * SIZE)
    check_bijection(flat(time_flow(time, dimensions, transform), MASK), value, single_precision=2e-4)


@every_flow
def test_log_determinants_belong_to_their_steps(time: str, dimensions: str, transform: str) -> None:
    """One number a step, the log-determinant of that step's own D by D block, and exact zeros on padding."""
    flow = time_flow(time, dimensions, transform)
    bijection = flat(flow, MASK)
    z, positions = normal(3, 3, SIZE), bijection.inputs[0]
    for map_, direction in ((flow.forward, bijection.forward), (flow.inverse, bijection.inverse)):
        image, log_det = map_(z, LENGTHS, positions)
        assert (image[~MASK] == 0).all() and (log_det[~MASK] == 0).all()
        matrix = jacobian_of(direction, z[MASK].flatten(), *bijection.inputs)
        blocks = matrix.unflatten(0, (-1, SIZE)).unflatten(-1, (-1, SIZE)).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        torch.testing.assert_close(log_det[MASK], torch.linalg.slogdet(blocks)[1], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("time", ["af", "iaf", "none"])
def test_time_is_causal_both_ways(time: str) -> None:
    """AF: eps_t reads z_<=t. IAF: z_t reads eps_<=t. Triangular in both directions; no time: block-diagonal."""
    bijection = flat(time_flow(time, "scf", layers=2, scale=0.6), torch.ones(4, 1, dtype=torch.bool))
    blocks = torch.eye(4) if time == "none" else torch.ones(4, 4).tril()
    steps = blocks.bool()
    for direction in (bijection.forward, bijection.inverse):
        matrix = jacobian_of(direction, normal(4 * SIZE), *bijection.inputs)
        by_step = matrix.view(4, SIZE, 4, SIZE).abs().sum((1, 3))
        assert_depends_exactly(by_step, steps)


@pytest.mark.parametrize("time", ["af", "iaf"])
def test_what_the_context_reads_is_z_for_af_and_eps_for_iaf(time: str) -> None:
    """Only the LSTM of the fast direction may see its source: there, equal pasts give equal maps of a step."""
    flow = time_flow(time, "diagonal", scale=0.6)
    lengths, positions = torch.tensor([3]), normal(3, 1, POSITION)
    fast, slow = (flow.forward, flow.inverse) if time == "af" else (flow.inverse, flow.forward)
    source = normal(3, 1, SIZE)
    image, _ = fast(source, lengths, positions)
    # Changing one source step's dimension 0 moves, at later steps, every dimension: the context carries it.
    nudged = source.clone()
    nudged[0, 0, 0] += 1.0
    moved, _ = fast(nudged, lengths, positions)
    assert moved[0, 0, 1] == image[0, 0, 1]
    assert (moved[1:] != image[1:]).all()
    back, _ = slow(moved, lengths, positions)
    torch.testing.assert_close(back, nudged, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("time", ["af", "iaf"])
def test_one_step_at_a_time_is_the_lstm(time: str) -> None:
    """The recursion written out agrees with the fused LSTM, on contexts themselves."""
    flow = time_flow(time, "scf", scale=0.6)
    context = flow.context
    assert context is not None
    sequence, positions = normal(5, 2, SIZE), normal(5, 2, POSITION, seed=3)
    fused = context.parallel(sequence, positions)
    advance, state = context.stepper(positions), context.initial_state(positions)
    torch.testing.assert_close(state[0][-1], fused[0], atol=1e-12, rtol=1e-12)
    for t in range(1, 5):
        state = advance(t, sequence[t - 1], state)
        torch.testing.assert_close(state[0][-1], fused[t], atol=1e-12, rtol=1e-12)


def cell(lstm: torch.nn.LSTM, layer: int, inputs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """One step of one layer, from the equations of Hochreiter & Schmidhuber (1997) in PyTorch's order of gates."""
    weight, recurrent = getattr(lstm, f"weight_ih_l{layer}"), getattr(lstm, f"weight_hh_l{layer}")
    bias = getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}")
    i, f, g, o = (inputs @ weight.T + state[0] @ recurrent.T + bias).chunk(4, -1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@pytest.mark.parametrize("between", [0.0, 1.0])
@pytest.mark.parametrize("after", [0.0, 1.0])
def test_dropout_lies_between_the_layers_and_after_the_last(between: float, after: float) -> None:
    """With rates of 0 and 1 dropout is no chance: it passes everything or nothing, at exactly two places."""
    context = time_flow("af", "scf", scale=0.6).context
    assert context is not None
    context.lstm.dropout, context.dropout.p = between, after
    context.train()
    sequence, positions = normal(5, 2, SIZE), normal(5, 2, POSITION, seed=3)
    state = context.initial_state(positions)
    layers = [(state[0][layer], state[1][layer]) for layer in range(2)]
    expected = [layers[1][0]]
    for t in range(1, 5):
        layers[0] = cell(context.lstm, 0, torch.cat([sequence[t - 1], positions[t]], -1), layers[0])
        layers[1] = cell(context.lstm, 1, layers[0][0] * (1.0 - between), layers[1])
        expected.append(layers[1][0])
    plain = torch.stack(expected) * (1.0 - after)
    torch.testing.assert_close(context.parallel(sequence, positions), plain, atol=1e-12, rtol=1e-12)
    advance = context.stepper(positions)
    for t in range(1, 5):
        state = advance(t, sequence[t - 1], state)
        torch.testing.assert_close(context.dropout(state[0][-1]), plain[t], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("time", ["af", "iaf"])
def test_the_loop_over_time_drops_what_the_pass_over_all_steps_drops(time: str) -> None:
    flow = time_flow(time, "scf", scale=0.6)
    assert flow.context is not None
    flow.context.dropout.p = 1.0  # nothing of the context is left
    flow.train()
    source, positions, lengths = normal(5, 2, SIZE), normal(5, 2, POSITION, seed=3), torch.tensor([5, 5])
    nothing = torch.zeros(5, 2, flow.context.hidden, dtype=source.dtype)
    for run, step in ((flow.forward, flow.stack.forward), (flow.inverse, flow.stack.inverse)):
        for found, expected in zip(run(source, lengths, positions), step(source, nothing), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(("layers", "between"), [(1, 0.0), (2, 0.4)])
def test_the_rate_of_dropout_is_the_configurations(layers: int, between: float) -> None:
    config = LatentFlowConfig(2, "categorical", 9, latent_size=SIZE, prior_hidden=4, prior_layers=layers, dropout=0.4)
    context = TimeFlow(config, POSITION).context
    assert context is not None
    assert (context.lstm.dropout, context.dropout.p) == (between, 0.4)


@pytest.mark.parametrize("time", ["af", "iaf", "none"])
@pytest.mark.parametrize("dimensions", ["af", "scf"])
def test_a_known_beginning_is_read_and_not_solved_again(time: str, dimensions: str) -> None:
    flow = time_flow(time, dimensions, scale=0.6)
    lengths, positions, eps = torch.tensor([6, 4]), normal(6, 2, POSITION), normal(6, 2, SIZE)
    z, log_det = flow.inverse(eps, lengths, positions)
    again, later = flow.inverse(eps, lengths, positions, known=z[:3])
    torch.testing.assert_close(again, z, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(later[3:], log_det[3:], atol=1e-9, rtol=1e-9)
    assert (later[:3] == 0).all()
    other, _ = flow.inverse(eps, lengths, positions, known=z[:3] + 1.0)
    assert torch.equal(other[:3], z[:3] + 1.0)
    assert torch.allclose(other[3:], z[3:]) is (time != "af")  # only AF's context reads z


@every_flow
def test_rubbish_in_the_padding_changes_nothing(time: str, dimensions: str, transform: str) -> None:
    flow = time_flow(time, dimensions, transform)
    value, positions = normal(3, 3, SIZE), normal(3, 3, POSITION, seed=1)
    for direction in (flow.forward, flow.inverse):
        clean = direction(value, LENGTHS, positions)
        for rubbish in (1e6, float("nan")):
            dirty = direction(value.masked_fill(~MASK[..., None], rubbish), LENGTHS, positions)
            assert torch.equal(clean[0], dirty[0]) and torch.equal(clean[1], dirty[1])
            alone = direction(value[:2, 2:], LENGTHS[2:], positions[:2, 2:])
            torch.testing.assert_close(alone[0], clean[0][:2, 2:], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("time", ["af", "iaf", "none"])
def test_padding_gets_no_gradient(time: str) -> None:
    flow = time_flow(time, "scf")
    value = normal(3, 3, SIZE).requires_grad_()
    for direction in (flow.forward, flow.inverse):
        image, log_det = direction(value, LENGTHS, normal(3, 3, POSITION))
        (gradient,) = torch.autograd.grad(image.square().sum() + log_det.sum(), value)
        assert (gradient[~MASK] == 0).all() and (gradient[MASK] != 0).all()


@pytest.mark.parametrize("time", ["af", "iaf"])
def test_long_sequences_come_back_in_single_precision(time: str, device: torch.device) -> None:
    """Errors could pile up along the sequential direction: 300 steps of a freshly shaken NLSq flow."""
    flow = time_flow(time, "scf", scale=0.25).float().to(device)
    source = normal(300, 4, SIZE).float().to(device)
    lengths = torch.tensor([300, 1, 120, 299], device=device)
    positions = normal(300, 4, POSITION).float().to(device)
    real = step_mask(lengths, 300)[..., None]
    with torch.no_grad():
        eps, log_det = flow(source, lengths, positions)
        back, inverse_log_det = flow.inverse(eps, lengths, positions)
        assert ((back - source) * real).abs().max() < 1e-3
        assert (log_det + inverse_log_det).abs().max() < 1e-3


@pytest.mark.usefixtures("bfloat16")
def test_autocast_leaves_the_recursion_in_single_precision() -> None:
    """Under bf16 autocast the log-determinants stay float32 and near those without it."""
    positions, z = normal(3, 3, POSITION).float(), normal(3, 3, SIZE).float()
    for time in ("af", "iaf"):
        flow = time_flow(time, "scf", scale=0.3).float()
        eps, log_det = flow(z, LENGTHS, positions)
        with torch.autocast("cpu", torch.bfloat16):
            rough, rough_log_det = flow(z, LENGTHS, positions)
        assert rough.dtype == rough_log_det.dtype == torch.float32
        torch.testing.assert_close(rough, eps, atol=0.05, rtol=0.05)
        torch.testing.assert_close(rough_log_det, log_det, atol=0.05, rtol=0.05)
        if time == "iaf":
            assert torch.equal(rough, eps)
