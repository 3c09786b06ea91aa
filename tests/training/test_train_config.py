"""Configurations: round trips, overrides by name, refusals; and every preset builds."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from training_runs import music_data, text_data, tiny_config

from lnf_core.config import BaselineConfig, LatentFlowConfig
from lnf_core.data import music_dataset
from lnf_core.errors import ConfigError
from lnf_core.training import TrainConfig, preset, preset_dataset, preset_names


def test_json_round_trip() -> None:
    config = tiny_config("af-scf", text_data(), betas=(0.8, 0.95))
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_field_is_refused() -> None:
    values = tiny_config("lstm", text_data()).to_dict() | {"momentum": 0.9}
    with pytest.raises(ConfigError, match="momentum"):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value"), [("max_steps", 2.5), ("batch_size", 2.0), ("batch_size", True), ("max_minutes", "5")]
)
def test_numbers_of_another_kind_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value!r}; it must be a"):
        tiny_config("lstm", text_data(), **{name: value})
    with pytest.raises(ConfigError, match=name):
        TrainConfig.from_dict(tiny_config("lstm", text_data()).to_dict() | {name: value})


def test_overrides_take_the_type_of_the_field() -> None:
    config = tiny_config("af-scf", text_data()).override(
        ["batch_size=3", "learning_rate=1e-4", "betas=0.5,0.75", "schedule=constant", "model.hidden_size=9", "seed=7"]
    )
    assert (config.batch_size, config.learning_rate, config.betas) == (3, 1e-4, (0.5, 0.75))
    assert (config.schedule, config.model.hidden_size, config.seed) == ("constant", 9, 7)
    assert config.model.embedding_size == 16  # the rest stays


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("batch_size", "key=value"),
        ("batch_size=many", "of type int"),
        ("batch_size=2.5", "of type int"),
        ("batch_size=true", "of type int"),
        ("batch_size=0", "at least 1"),
        ("posterior_samples=1001", "from 1 to 1000"),
        ("learning_rate=NaN", "above 0"),
        ("learning_rate=-1", "above 0"),
        ("betas=0.9", "two numbers"),
        ("betas=a,b", "list of numbers"),
        ("max_minutes=Infinity", "finite"),
        ("max_steps=Infinity", "of type int"),
        ("momentum=0.9", "'momentum' cannot be set"),
        ("total_steps=9", "'total_steps' cannot be set"),
        ("preset=other", "'preset' cannot be set"),
        ("model=big", "'model' cannot be set"),
        ("model.width=9", "'model.width' cannot be set; the network has model.embedding_size, model.hidden_size"),
        ("hidden_size=9", "write model.hidden_size"),
        ("model.hidden_size=0", "hidden_size is 0"),
        ("precision=fp16", "one of auto, fp32, bf16"),
        ("schedule=linear", "one of constant, cosine"),
        ("kl_zero_epochs=2", "0 when kl_zero_epochs is given"),
    ],
)
def test_bad_overrides_are_refused_by_name(assignment: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tiny_config("af-scf", text_data()).override([assignment])


def test_a_run_needs_an_end() -> None:
    with pytest.raises(ConfigError, match="max_epochs"):
        tiny_config("lstm", text_data(), max_epochs=0)


@pytest.mark.parametrize(("epochs", "steps", "total"), [(3, 0, 30), (3, 12, 12), (3, 99, 30), (0, 99, 99)])
def test_the_smaller_limit_ends_the_run(epochs: int, steps: int, total: int) -> None:
    assert tiny_config("lstm", text_data(), max_epochs=epochs, max_steps=steps).total_steps(10) == total


def test_differences_name_what_changes_the_computation_only() -> None:
    config = tiny_config("af-scf", text_data())
    other = config.override(["max_minutes=5", "checkpoint_minutes=9", "batch_size=2", "model.hidden_size=4"])
    assert config.differences(other) == {"batch_size": (8, 2), "model.hidden_size": (16, 4)}


@pytest.mark.parametrize("name", [name for name in preset_names() if preset_dataset(name) in ("jsb", "ptb")])
def test_presets_describe_the_variant_they_name(name: str) -> None:
    data = music_data() if preset_dataset(name) == "jsb" else text_data()
    config = preset(name, data)
    assert config.model.variant == name.split("/")[-1]
    assert config.preset == name
    outputs = 89 if name.startswith("paper/jsb") else data.vocab_size
    assert (config.model.vocab_size, config.model.max_length) == (outputs, data.max_length)
    config.check_fit(data.for_network(config.model.vocab_size))
    kind = BaselineConfig if name.endswith("lstm") else LatentFlowConfig
    assert isinstance(config.model, kind)
    assert config.model.positions == ("onehot" if name.startswith("paper/") else "learned")


def test_paper_presets_have_the_published_sizes() -> None:
    text, music = preset("paper/ptb/iaf-scf", text_data()), preset("paper/jsb/af-af", music_data())
    assert isinstance(text.model, LatentFlowConfig)
    assert isinstance(music.model, LatentFlowConfig)
    assert (text.model.flow_layers, music.model.flow_layers) == (3, 5)
    assert (text.batch_size, text.posterior_samples, text.kl_zero_epochs, text.kl_ramp_epochs) == (15, 10, 4.0, 10.0)
    assert (music.batch_size, music.posterior_samples, music.kl_zero_epochs, music.kl_ramp_epochs) == (5, 1, 20.0, 15.0)


def test_all_five_data_sets_have_the_papers_presets() -> None:
    assert {preset_dataset(name) for name in preset_names()} == {"ptb", "jsb", "nottingham", "piano-midi", "muse"}


@pytest.mark.parametrize("name", ["", "jsb", "jsb/af", "paper/jsb", "mozart/af-af", "jsb/af-scf/"])
def test_unknown_presets_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no preset"):
        preset(name, music_data())


def test_a_preset_for_other_data_is_refused() -> None:
    with pytest.raises(ConfigError, match="trains on ptb"):
        preset("ptb/lstm", music_data())


def test_data_of_ones_own_takes_the_presets_of_its_kind() -> None:
    rolls = [torch.eye(length, 88) for length in (30, 12)]
    own = music_dataset("tunes", rolls, rolls)
    for name in ("jsb/af-scf", "nottingham/lstm", "paper/muse/iaf-scf"):
        config, published = preset(name, own), preset(name, replace(music_data(), name=preset_dataset(name)))
        assert (config.dataset, config.model.max_length) == ("tunes", 37)
        differing = {"dataset", "model.max_length"} | ({"model.vocab_size"} if "paper" in name else set())
        assert set(config.differences(published)) <= differing
    with pytest.raises(ConfigError, match="trains on ptb, not on tunes"):
        preset("ptb/af-scf", own)
