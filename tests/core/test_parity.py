"""Every number the reference implementation computed on six small models (tests/fixtures/parity)."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from lnf_core.errors import CheckpointError
from lnf_core.nets.positions import step_mask
from lnf_core.storage.textflow import from_state_dict, import_textflow

CASES = sorted((Path(__file__).resolve().parent.parent / "fixtures" / "parity").glob("*.safetensors"))
assert len(CASES) == 6


class Case:
    def __init__(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            self.sizes = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a safetensors file is no dict
        parts: dict[str, dict[str, Tensor]] = {"weight": {}, "input": {}, "expect": {}}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            parts[kind][rest] = value
        self.weights, self.inputs, self.expected = parts["weight"], parts["input"], parts["expect"]
        self.names = {"variant": self.sizes["kind"], "likelihood": self.sizes["likelihood"]}


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def assert_close(ours: Tensor, expected: Tensor, mask: Tensor) -> None:
    torch.testing.assert_close(ours[mask], expected[mask], atol=1e-4, rtol=1e-4)


def test_densities_and_samples_are_the_reference_s(case: Case) -> None:
    model = from_state_dict(case.weights, **case.names)
    x, lengths = case.inputs["x"], case.inputs["lengths"]
    mask = step_mask(lengths, len(x))
    with torch.no_grad():
        posterior = model.encode(x, lengths)
        noise = case.inputs["posterior_noise"].permute(2, 0, 1, 3)
        z = posterior.mean + posterior.std * noise
        log_q = posterior.log_prob(z).permute(1, 2, 0)
        elbo = model.elbo_at(x, lengths, posterior, noise)
        sample = model.from_noise(case.inputs["prior_noise"], lengths, argmax=True)
    assert_close(z.permute(1, 2, 0, 3), case.expected["z"], mask)
    assert_close(log_q, case.expected["log_q_z"], mask)
    assert_close(log_q - elbo.kl, case.expected["log_p_z"], mask)
    assert_close(-elbo.log_px, case.expected["reconstruction_nll"], mask)
    assert sample.z is not None
    assert_close(sample.z, case.expected["sample_z"], mask)
    assert torch.equal(sample.x[mask].long(), case.expected["sample_argmax"][mask])


def test_a_saved_pt_file_gives_the_same_model(case: Case, tmp_path: Path) -> None:
    torch.save(case.weights, tmp_path / "model.pt")
    model = import_textflow(tmp_path / "model.pt", **case.names)
    same = from_state_dict(case.weights, **case.names)
    assert model.config == same.config
    for name, value in same.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_every_weight_is_read(case: Case) -> None:
    """Changing any tensor of the reference that is not a mask or a copy changes the model."""
    same = from_state_dict(case.weights, **case.names).state_dict()
    for name in case.weights:
        if name.endswith(".mask") or name in ("cross_entropy.weight", "outp_ff.network.1.weight"):
            continue
        other = from_state_dict({**case.weights, name: case.weights[name] + 1.0}, **case.names).state_dict()
        assert any(not torch.equal(same[key], other[key]) for key in same), name


def test_a_missing_an_extra_and_a_misshapen_tensor_are_named(case: Case) -> None:
    name = "generative_model.rnn_outp.weight_ih_l0"
    fewer = {key: value for key, value in case.weights.items() if key != name}
    with pytest.raises(CheckpointError, match="weight_ih_l0"):
        from_state_dict(fewer, **case.names)
    with pytest.raises(CheckpointError, match=r"module\.extra"):
        from_state_dict({**case.weights, "module.extra": torch.zeros(1)}, **case.names)
    with pytest.raises(CheckpointError, match="do not fit"):
        from_state_dict({**case.weights, name: case.weights[name][1:]}, **case.names)


def test_the_wrong_variant_is_refused() -> None:
    case = Case(next(path for path in CASES if path.stem == "af-scf_categorical"))
    with pytest.raises(CheckpointError, match="af-af"):
        from_state_dict(case.weights, variant="af-af")
    with pytest.raises(CheckpointError, match="--variant"):
        from_state_dict(case.weights)


def test_an_unknown_variant_a_wrapped_model_and_odd_sizes_are_refused(case: Case) -> None:
    with pytest.raises(CheckpointError, match="choose one of"):
        from_state_dict(case.weights, variant="af_scf")  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no flow"):  # as saved from torch's DataParallel
        from_state_dict({f"module.{name}": value for name, value in case.weights.items()}, **case.names)
    with pytest.raises(CheckpointError, match="sizes"):
        from_state_dict({**case.weights, "input_embedding.weight": torch.zeros(3)}, **case.names)
    embedded = case.weights["input_embedding.weight"]
    first = case.weights["inference_model.rnn_q.weight_ih_l0"][:, : embedded.shape[1]]
    with pytest.raises(CheckpointError, match=r"sizes .* max_length is 0"):  # no room for positions
        from_state_dict({**case.weights, "inference_model.rnn_q.weight_ih_l0": first}, **case.names)
    with pytest.raises(CheckpointError, match="length histogram"):
        from_state_dict(case.weights, torch.ones(3), **case.names)


def test_a_file_of_the_reference_s_own_age_is_read(case: Case, tmp_path: Path) -> None:
    """PyTorch 0.4 wrote no zip files."""
    torch.save(case.weights, tmp_path / "model.pt", _use_new_zipfile_serialization=False)
    model = import_textflow(tmp_path / "model.pt", **case.names)
    assert torch.equal(model.emission.embedding.weight, case.weights["input_embedding.weight"])


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (io.open, ("should-not-exist", "w"))


@pytest.mark.parametrize("kind", ["object", "pickle", "truncated", "empty", "list", "absent"])
def test_files_that_hold_no_state_dict_are_refused_and_never_run(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pt"
    if kind == "object":
        torch.save({"weight": _Harmful()}, path)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(_Harmful()))
    elif kind == "truncated":
        torch.save({"weight": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:700])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "list":
        torch.save([torch.zeros(2)], path)
    with pytest.raises(CheckpointError):
        import_textflow(path)
    assert not (tmp_path / "should-not-exist").exists()
