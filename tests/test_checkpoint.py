"""Checkpoints: everything comes back, and every kind of damage is named."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import MAX_LENGTH, SYMBOLS, save_tiny, tiny_model

from lnf_core.atomic import replace
from lnf_core.errors import CheckpointError, InvalidInputError
from lnf_core.evaluation import probe
from lnf_core.storage import bundle
from lnf_core.storage.bundle import look_at, save_checkpoint, write_metrics
from lnf_core.storage.bundled import list_checkpoints
from lnf_core.storage.find import load

ALL = ["af-af", "af-scf", "iaf-scf", "af-only", "hidden-flow-only", "af-scf-affine", "lstm"]


@pytest.mark.parametrize("domain", ["music", "text"])
@pytest.mark.parametrize("variant", ALL)
def test_what_was_saved_comes_back(tmp_path: Path, variant: str, domain: str) -> None:
    model = save_tiny(tmp_path, variant, domain, metrics={"valid": {"nll": 1.5}})
    loaded = load(tmp_path)
    assert type(loaded.model) is type(model)
    assert loaded.model.config == model.config
    expected, found = model.state_dict(), loaded.model.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert (loaded.domain, loaded.variant) == (domain, variant)
    assert loaded.dataset == ("ptb" if domain == "text" else "jsb")
    assert loaded.vocabulary == (SYMBOLS if domain == "text" else None)
    assert loaded.metrics == {"valid": {"nll": 1.5}}
    assert loaded.training == {"preset": f"tiny/{variant}"}
    assert not loaded.model.training


@pytest.mark.parametrize("variant", ["af-af", "lstm"])
def test_a_loaded_model_scores_and_samples_like_the_saved_one(tmp_path: Path, variant: str) -> None:
    model = save_tiny(tmp_path, variant)
    loaded = load(tmp_path).model
    x = torch.randint(0, 2, (MAX_LENGTH, 3, 88), generator=torch.Generator().manual_seed(1)).float()
    lengths = torch.tensor([12, 5, 3])
    for step, length in enumerate(lengths):
        x[length:, step] = 0
    scores = [m.log_likelihood(x, lengths, 3, torch.Generator().manual_seed(2)) for m in (model, loaded)]
    assert torch.equal(*scores)
    samples = [m.sample(4, generator=torch.Generator().manual_seed(3)).x for m in (model, loaded)]
    assert torch.equal(*samples)


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    state = torch.random.get_rng_state()
    load(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_shared_memory_is_stored_once(tmp_path: Path) -> None:
    model = save_tiny(tmp_path, domain="text")
    places = {value.data_ptr() for value in model.state_dict().values()}
    assert len(load_file(tmp_path / "model.safetensors")) == len(places)


def test_parameters_tied_by_hand_stay_tied(tmp_path: Path) -> None:
    model = tiny_model("lstm", "text")
    model.register_module("again", torch.nn.Embedding(len(SYMBOLS), 4))
    model.again.weight = model.emission.embedding.weight
    from lnf_core.storage.weights import fill, stored_tensors

    save_file(stored_tensors(model, torch.float32, tmp_path), tmp_path / "w.safetensors")
    twin = tiny_model("lstm", "text")
    twin.register_module("again", torch.nn.Embedding(len(SYMBOLS), 4))
    twin.again.weight = twin.emission.embedding.weight
    with torch.no_grad():
        twin.again.weight.zero_()
    fill(twin, tmp_path / "w.safetensors")
    assert len(load_file(tmp_path / "w.safetensors")) == len(model.state_dict()) - 1
    assert twin.again.weight is twin.emission.embedding.weight
    assert torch.equal(twin.again.weight, model.again.weight)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)])
def test_half_precision_storage_is_loaded_as_float32(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    model = save_tiny(tmp_path, dtype=dtype)
    loaded = load(tmp_path).model
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    for name, value in model.named_parameters():
        torch.testing.assert_close(loaded.get_parameter(name), value, rtol=tolerance, atol=1e-6)
        assert torch.equal(loaded.get_parameter(name), value.to(dtype).float())
    # p(T) is a table of counts, not a weight: it keeps its precision.
    assert torch.equal(loaded.length_prior.log_probs, model.length_prior.log_probs)
    stored = load_file(tmp_path / "model.safetensors")
    assert stored[next(iter(dict(model.named_parameters())))].dtype is dtype


def test_a_device_there_is_not_is_named(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c")
    for device in ("abacus", "cuda:99", "meta"):
        with pytest.raises(InvalidInputError, match=f"'{device}' cannot be used here"):
            load(tmp_path / "c", device=device)


def test_a_folder_may_be_named_by_its_words(tmp_path: Path) -> None:
    model = tiny_model("lstm")
    save_checkpoint(str(tmp_path / "c"), model, dataset="jsb", vocabulary=None, training={})
    again = load(str(tmp_path / "c")).model
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_home_folder_is_where_loading_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    save_checkpoint("~/c", tiny_model("lstm"), dataset="jsb", vocabulary=None, training={})
    assert load("~/c").path == tmp_path / "home" / "c"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_other_storage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="float32, float16 or bfloat16"):
        save_tiny(tmp_path, dtype=torch.int8)


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    model = tiny_model()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = torch.nan

    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(tmp_path, model, dataset="jsb", vocabulary=None, training={})
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert load(tmp_path).training == {"preset": "tiny/af-scf"}


@pytest.mark.parametrize(
    "given",
    [
        {"training": {"folder": Path("x")}},
        {"training": {"rate": math.nan}},
        {"metrics": {"valid": {1, 2}}},
        {"metrics": {"valid": {"nll": math.inf}}},
    ],
)
def test_what_json_cannot_hold_is_refused_before_anything_changes(tmp_path: Path, given: dict[str, Any]) -> None:
    save_tiny(tmp_path, metrics={"valid": {"nll": 1.0}})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InvalidInputError, match="plain values"):
        save_checkpoint(tmp_path, tiny_model("lstm"), dataset="jsb", vocabulary=None, **({"training": {}} | given))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("metrics", [{"valid": {}}, {"statistics": {"samples": {}, "data": {}, "copies": 3}}])
def test_figures_no_card_could_be_made_from_are_refused_before_anything_changes(
    tmp_path: Path, metrics: dict[str, Any]
) -> None:
    save_tiny(tmp_path, metrics={"valid": {"nll": 1.0}})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=r"valid|statistics\.copies"):
        save_tiny(tmp_path, "lstm", metrics=metrics)
    with pytest.raises(CheckpointError, match=r"valid|statistics\.copies"):
        write_metrics(tmp_path, metrics)
    with pytest.raises(InvalidInputError, match="plain values"):
        write_metrics(tmp_path, {"valid": {"nll": math.nan}})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_saving_over_a_checkpoint_replaces_it_and_drops_its_figures(tmp_path: Path) -> None:
    save_tiny(tmp_path, "af-af", metrics={"valid": {"nll": 9.0}})
    (tmp_path / "notes.txt").write_text("mine")
    save_tiny(tmp_path, "lstm")
    assert load(tmp_path).variant == "lstm"
    assert load(tmp_path).metrics == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "notes.txt",
    ]


def test_a_failed_write_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_tiny(tmp_path, metrics={"valid": {"nll": 9.0}})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_tiny(tmp_path, "lstm")
    monkeypatch.undo()
    loaded = load(tmp_path)
    assert loaded.variant == "af-scf"
    assert torch.equal(next(loaded.model.parameters()), next(model.parameters()))
    assert loaded.metrics == {"valid": {"nll": 9.0}}
    assert not list(tmp_path.glob(".*partial"))


def test_old_figures_never_stand_beside_new_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(tmp_path, metrics={"valid": {"nll": 9.0}})
    write = os.fsync
    written: list[int] = []

    def nearly_full(descriptor: int) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(descriptor)
        write(descriptor)

    monkeypatch.setattr(os, "fsync", nearly_full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_tiny(tmp_path, metrics={"valid": {"nll": 1.0}})
    assert written and load(tmp_path).metrics == {}


def _edit(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "config.json").read_text())
    values.update(changes)
    (folder / "config.json").write_text(json.dumps(values))


def _edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def _truncate(folder: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])


def _edit_model(folder: Path, **changes: object) -> None:
    model = json.loads((folder / "config.json").read_text())["model"]
    _edit(folder, model={**model, **changes})


def _measured(folder: Path, **parts: object) -> None:
    (folder / "metrics.json").write_text(json.dumps(parts))


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["emission.bias"][0] = torch.nan


def _infinite(tensors: dict[str, torch.Tensor]) -> None:
    tensors["emission.bias"][0] = -torch.inf


def _too_large(tensors: dict[str, torch.Tensor]) -> None:
    tensors["emission.bias"] = torch.full_like(tensors["emission.bias"], 1e300, dtype=torch.float64)


def _eight_bits(tensors: dict[str, torch.Tensor]) -> None:
    tensors["emission.bias"] = torch.full_like(tensors["emission.bias"], torch.nan).to(torch.float8_e4m3fn)


def _lengths(log_prob: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        tensors["length_prior.log_probs"][:] = log_prob

    return edit


def _integers(tensors: dict[str, torch.Tensor]) -> None:
    tensors["emission.bias"] = tensors["emission.bias"].long()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "half of the weights": (lambda folder: _truncate(folder, "model.safetensors", 0.5), "truncated"),
    "empty weights": (lambda folder: _truncate(folder, "model.safetensors", 0.0), "truncated"),
    "a pickle": (lambda folder: torch.save({"a": 1}, folder / "model.safetensors"), "not safetensors"),
    "half of the configuration": (lambda folder: _truncate(folder, "config.json", 0.5), "cannot be read as JSON"),
    "not UTF-8": (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe{"), "cannot be read as JSON"),
    "half of the metrics": (lambda folder: _truncate(folder, "metrics.json", 0.5), "metrics.json cannot be read"),
    "a list": (lambda folder: (folder / "config.json").write_text("[1]"), "instead of an object"),
    "another project's": (lambda folder: (folder / "config.json").write_text('{"hidden": 3}'), "no format_version"),
    "a newer format": (lambda folder: _edit(folder, format_version=2), "upgrade lnf_core"),
    "a true format": (lambda folder: _edit(folder, format_version=True), "no format_version"),
    "endless digits": (lambda folder: (folder / "config.json").write_text('{"a": 1' + "0" * 5000 + "}"), "as JSON"),
    "no data set": (lambda folder: _edit(folder, dataset=None), "lacks dataset"),
    "an unknown kind": (lambda folder: _edit(folder, model={"kind": "transformer"}), "transformer"),
    "a kind that is a list": (lambda folder: _edit(folder, model={"kind": []}), "choose one of"),
    "half a unit": (
        lambda folder: _edit_model(folder, hidden_size=4.5),
        "hidden_size is 4.5; it must be a whole number",
    ),
    "a truth for a size": (lambda folder: _edit_model(folder, embedding_size=True), "embedding_size is True"),
    "a word for a number": (lambda folder: _edit_model(folder, dropout="0.2"), "dropout is '0.2'; it must be a number"),
    "a missing field": (lambda folder: _edit(folder, model={"kind": "latent-flow"}), "describes no model"),
    "other sizes": (lambda folder: _edit_model(folder, hidden_size=5), "belong together"),
    "a short vocabulary": (lambda folder: _edit(folder, vocabulary=["a", "b"]), "they do not belong together"),
    "a vocabulary of numbers": (lambda folder: _edit(folder, vocabulary=[1] * 88), "not a list of strings"),
    "an empty vocabulary": (lambda folder: _edit(folder, vocabulary=[]), "one or more symbols"),
    "a symbol twice": (lambda folder: _edit(folder, vocabulary=["a"] * 88), "came twice"),
    "a figure that is none": (lambda folder: _measured(folder, valid=3), "valid in .* is no object"),
    "figures without the main one": (lambda folder: _measured(folder, test={"kl": 1.0}), "lacks nll"),
    "a figure beyond all numbers": (lambda folder: _measured(folder, test={"nll": 10**400}), "lacks nll"),
    "half of the statistics": (lambda folder: _measured(folder, statistics={"samples": {}}), "lacks data"),
    "a word for a statistic": (
        lambda folder: _measured(folder, statistics={"samples": {"notes": "4"}, "data": {}}),
        "statistics.samples.notes in .* is no number",
    ),
    "a share of copies alone": (
        lambda folder: _measured(folder, statistics={"samples": {}, "data": {}, "copies": {"samples": {}}}),
        "copies in .* lacks held_out",
    ),
    "half of the modes": (lambda folder: _measured(folder, modes={"mean": 1.0}), "lacks multimodal"),
    "a missing tensor": (lambda f: _edit_weights(f, lambda t: t.pop("emission.bias")), "lacks emission.bias"),
    "a foreign tensor": (lambda f: _edit_weights(f, lambda t: t.update(extra=torch.ones(1))), "the foreign extra"),
    "NaN": (lambda folder: _edit_weights(folder, _nan), "emission.bias .* holds NaN"),
    "infinity": (lambda folder: _edit_weights(folder, _infinite), "emission.bias .* holds an infinite value"),
    "infinity in float32": (lambda f: _edit_weights(f, _too_large), "emission.bias .* holds an infinite value"),
    "NaN in eight bits": (lambda folder: _edit_weights(folder, _eight_bits), "emission.bias .* holds NaN"),
    "no length ever": (lambda folder: _edit_weights(folder, _lengths(-torch.inf)), "does not sum to 1"),
    "every length surely": (lambda folder: _edit_weights(folder, _lengths(0.0)), "does not sum to 1"),
    "infinitely many": (lambda folder: _edit_weights(folder, _lengths(torch.inf)), "does not sum to 1"),
    "integers": (lambda folder: _edit_weights(folder, _integers), "emission.bias in .* is torch.int64"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_named_in_one_sentence(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    save_tiny(tmp_path / "c", metrics={"valid": {"nll": 1.0}})
    load(tmp_path / "c")
    damage(tmp_path / "c")
    with pytest.raises(CheckpointError, match=words) as caught:
        load(tmp_path / "c")
    assert str(tmp_path / "c") in str(caught.value)
    problem = look_at(tmp_path / "c")[1]
    assert problem is None or problem == str(caught.value)  # listed from headers alone, in the same words


def test_what_a_run_replaces_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, written = tmp_path / "read", tmp_path / "written"
    save_tiny(read, training={"steps": 1})
    save_tiny(written, training={"steps": 2})
    _edit_weights(written, lambda tensors: tensors["emission.bias"].fill_(0.25))
    waiting, real = ["model.safetensors", "config.json"], bundle.fill

    def fill(*arguments: Any) -> None:  # noqa: ANN401
        if waiting:
            file = waiting.pop(0)
            (written / file).rename(read / file)
        real(*arguments)

    monkeypatch.setattr(bundle, "fill", fill)
    found = load(read)
    assert found.training["steps"] == 2 and bool((found.model.emission.bias == 0.25).all())
    monkeypatch.setattr(bundle, "fill", lambda *arguments: (real(*arguments), (read / "config.json").touch()))
    with pytest.raises(CheckpointError, match="replaced again and again while it is read"):
        load(read)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (tmp_path / "boom",))

    save_tiny(tmp_path / "c")
    torch.save({"x": Bomb()}, tmp_path / "c" / "model.safetensors")
    with pytest.raises(CheckpointError):
        load(tmp_path / "c")
    assert not (tmp_path / "boom").exists()


def test_figures_are_added_and_the_card_follows(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    assert "Not measured yet" in (tmp_path / "README.md").read_text()
    write_metrics(tmp_path, {"valid": {"nll": 7.125, "samples": 30}})
    assert load(tmp_path).metrics["valid"]["nll"] == 7.125
    assert "7.125" in (tmp_path / "README.md").read_text()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        write_metrics(tmp_path / "elsewhere", {})


def test_files_are_replaced_by_many_threads_at_once(tmp_path: Path) -> None:
    whole = [bytes([at]) * 20_000 for at in range(6)]
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(replace, tmp_path / "file", content) for content in whole * 5]:
            done.result()
    assert (tmp_path / "file").read_bytes() in whole
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", [entry.name for entry in list_checkpoints()])
def test_a_released_model_computes_what_it_computed_when_it_was_measured(name: str) -> None:
    checkpoint = load(name)
    assert probe(checkpoint.model) == pytest.approx(checkpoint.metrics["probe"], abs=2e-5)
