"""Model cards: a checkpoint's ``README.md``, written from its configuration and figures alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lnf_core.config import VARIANTS
from lnf_core.data import DATASETS

_TIME = {"af": "autoregressive over time", "iaf": "inverse autoregressive over time", "none": "no flow over time"}
_DIMENSIONS = {
    "af": "masked autoregressive over the latent dimensions",
    "scf": "split coupling over the latent dimensions",
    "diagonal": "latent dimensions independent given the context",
}
_SIZES = {
    "latent_size": "latent dimensions",
    "flow_layers": "flow layers",
    "flow_hidden": "units in the flow's nets",
    "embedding_size": "embedding",
    "hidden_size": "LSTM units a direction",
    "layers": "LSTM layers",
    "positions": "position features",
    "max_length": "longest sequence (time steps)",
}


_STATISTICS = {
    "notes": "notes a step",
    "three_or_four_notes": "share of steps with 3 or 4 notes",
    "triads": "share of steps with 3 notes or more that are triads, with or without a seventh",
    "clashes": "semitone clashes a step",
    "wide_leaps": "share of the top note's moves wider than 7 semitones",
    "known_words": "share of words that occur in the training split",
    "word_length": "characters a word",
    "steps": "steps measured",
    "words": "words measured",
}


_ABLATIONS = {"af-only": "AF-only", "hidden-flow-only": "Hidden flow only"}


def variant_title(variant: str) -> str:
    """A variant as the paper writes it: ``af-scf`` is ``AF/SCF``, ``lstm`` is ``LSTM baseline``."""
    if variant == "lstm":
        return "LSTM baseline"
    name, affine = variant.removesuffix("-affine"), variant.endswith("-affine")
    title = name.upper().replace("-", "/") if name in VARIANTS and "only" not in name else _ABLATIONS.get(name, name)
    return f"{title}, affine" if affine else title


def model_title(name: str, variant: str) -> str:
    """A checkpoint called ``name`` with a model of ``variant`` in it: ``af-scf-beta`` is ``AF/SCF, beta``."""
    more = name.removeprefix(f"{variant}-") if name.startswith(f"{variant}-") else ""
    return f"{variant_title(variant)}, {more}" if more else variant_title(variant)


def dataset_title(dataset: str) -> str:
    """The name people use; the short name itself for a data set that is not one of ours."""
    return DATASETS[dataset].title if dataset in DATASETS else dataset


def model_card(config: Mapping[str, Any], metrics: Mapping[str, Any], name: str = "", load_as: str = "") -> str:
    """The card in Markdown, with the Hub's front matter.

    Args:
        config: contents of ``config.json``.
        metrics: contents of ``metrics.json``, empty when nothing was measured.
        name: of the checkpoint's folder; one that begins with the variant's name says what else it is.
        load_as: the bundled name or Hub id under which :func:`load` finds it; empty where there is only the folder.
    """
    dataset, variant, model = str(config["dataset"]), str(config["variant"]), config["model"]
    released = name if name.startswith(f"{variant}-") else variant
    music = model.get("likelihood") == "bernoulli"
    title = f"{dataset_title(dataset)}: {model_title(released, variant)}"
    parts = [
        _front_matter(music, dataset),
        f"# {title}\n",
        _what(model, music) + "\n",
        "## Use\n\n```python\nimport lnf_core\n\n"
        f"checkpoint = {_load(load_as)}\n"
        f"sample = checkpoint.model.sample(count=1, lengths={64 if music else 80})\n```\n",
        _figures(metrics, music),
        _samples(metrics.get("statistics"), music),
        "## Sizes\n\n" + _rows({said: model[key] for key, said in _SIZES.items() if key in model}),
        _training(config.get("training", {}), metrics),
        f"Trained on {dataset_title(dataset)}; it repeats that data's style and its faults. "
        "A small research model for hearing, reading and teaching, not for anything that must be right.\n",
    ]
    return "\n".join(part for part in parts if part)


def _load(name: str) -> str:
    known = f'lnf_core.load("{name}")  # or this folder, or its id on the Hub'
    return known if name else 'lnf_core.load("FOLDER")  # this folder, or its id on the Hub'


def _front_matter(music: bool, dataset: str) -> str:
    kind = "music" if music else "text"
    # What is no word to YAML, 2024 or on, must be one: a tag is a string.
    tag = dataset if dataset in DATASETS else json.dumps(dataset)
    lines = ["license: mit", "library_name: lnf_core", "tags:", "- normalizing-flow", f"- {kind}", f"- {tag}"]
    return "---\n" + "\n".join(lines) + "\n---\n"


def _what(model: Mapping[str, Any], music: bool) -> str:
    what = "piano rolls of 88 keys" if music else "text, character by character"
    if model.get("kind") == "lstm-baseline":
        return f"A next-step LSTM over {what}: the exact baseline beside the latent flows of Ziegler & Rush (2019)."
    time, dimension = str(model.get("time_flow")), str(model.get("dimension_flow"))
    return (
        f"A latent normalizing flow over {what}, after Ziegler & Rush, *Latent Normalizing Flows for Discrete "
        f"Sequences* (2019): {_TIME.get(time, time)}, {_DIMENSIONS.get(dimension, dimension)}, "
        f"{model.get('transform')} transforms."
    )


def _figures(metrics: Mapping[str, Any], music: bool) -> str:
    splits = [split for split in ("valid", "test") if isinstance(metrics.get(split), Mapping)]
    if not splits:
        return "## Figures\n\nNot measured yet.\n"
    unit = "nats a step" if music else "nats a character"
    lines = [f"| | {' | '.join(splits)} |", f"|---|{'---:|' * len(splits)}"]
    said = {
        "bpc": "bits a character",
        "nll": f"NLL, {unit}, divided by sum(T + 1)",
        "nll_per_step": f"NLL, {unit}, divided by sum(T)",
        "negative_elbo": "negative ELBO",
        "reconstruction": "reconstruction",
        "kl": "KL",
        "samples": "importance samples",
        "sequences": "sequences",
    }
    for key, label in said.items():
        values = [metrics[split].get(key) for split in splits]
        if any(value is not None for value in values):
            lines.append(f"| {label} | {' | '.join(_number(value) for value in values)} |")
    return "## Figures\n\n" + "\n".join(lines) + "\n"


def statistics_table(statistics: Mapping[str, Any]) -> str:
    """Samples beside data in Markdown, one row a statistic.

    Args:
        statistics: ``samples`` and ``data``, each with values by the names of :mod:`lnf_core.analysis`.
    """
    samples, data = (statistics.get(key) or {} for key in ("samples", "data"))
    lines = ["| | samples | training data |", "|---|---:|---:|"]
    for key, said in _STATISTICS.items():
        if key in samples or key in data:
            lines.append(f"| {said} | {_short(samples.get(key))} | {_short(data.get(key))} |")
    return "\n".join(lines) + "\n" + _copies(statistics.get("copies"), "notes" in samples)


def _copies(found: object, music: bool) -> str:
    if not isinstance(found, Mapping):
        return ""
    samples, held_out = found["samples"], found["held_out"]
    unit = "steps" if music else "characters"
    shares = [_number(side.get("share")) or "none so long" for side in (samples, held_out)]
    return (
        f"\nCopied from the training split, of all passages of {samples['passage']} {unit}: {shares[0]} "
        f"(of as much held-out data: {shares[1]}). The longest passage that stands there: {samples['longest']} {unit} "
        f"(held-out: {held_out['longest']}).\n"
    )


def _samples(statistics: object, music: bool) -> str:
    if not isinstance(statistics, Mapping):
        return ""
    drawn = "the likeliest symbols" if statistics.get("argmax") else "drawn"
    about = (
        f"{statistics.get('count')} samples of {statistics.get('length')} {'steps' if music else 'characters'}, "
        f"{drawn} at temperature {_number(statistics.get('temperature'))}, seed {statistics.get('seed')}."
    )
    return f"## What its samples are like\n\n{statistics_table(statistics)}\n{about}\n"


def _training(training: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    known = {
        key.replace("_", " "): metrics[key]
        for key in ("parameters", "epochs", "steps", "minutes", "device", "code_version", "date", "command")
        if metrics.get(key) is not None
    }
    said = {key: key.replace("_", " ") for key in training} | {"valid_negative_elbo": _while_training(training)}
    known |= {
        said[key]: value
        for key, value in training.items()
        if said[key] not in known and isinstance(value, str | int | float)
    }
    return "## Training\n\n" + _rows(known) if known else ""


def _while_training(training: Mapping[str, Any]) -> str:
    """What the bound that selected the weights is called: it may be of a part of the split."""
    config = training.get("config")
    batches, size = (
        config.get(key) if isinstance(config, Mapping) else None for key in ("valid_batches", "batch_size")
    )
    part = ""
    if isinstance(batches, int) and isinstance(size, int) and batches > 0:
        part = f", of at most {batches * size} sequences"
    return f"negative ELBO on valid as these weights were selected, nats a symbol{part}"


def _rows(values: Mapping[str, Any]) -> str:
    return "".join(f"- {said}: {_number(value)}\n" for said, value in values.items())


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else _number(value)


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
