"""``modes``: how multimodal the steps of a checkpoint's prior are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lnf_core.cli.common import (
    MAX_SEED,
    CheckpointName,
    Json,
    Revision,
    Threads,
    print_json,
    provenance,
    resolve_device,
)
from lnf_core.errors import InvalidInputError


def modes(
    checkpoint: CheckpointName,
    sequences: Annotated[int, typer.Option(min=1, help="Validation sequences to look into, the first ones.")] = 20,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each, spread evenly.")] = 8,
    draws: Annotated[int, typer.Option(min=100, help="Draws of z_t for each step.")] = 4096,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Equal seeds give equal draws.")] = 0,
    as_json: Json = False,
    write: Annotated[bool, typer.Option("--write", help="Keep the figures in metrics.json.")] = False,
    threads: Threads = 0,
    revision: Revision = None,
) -> None:
    """Count the modes of p(z_t | z_<t) at steps of real sequences, and average them."""
    from lnf_core.data import load_dataset
    from lnf_core.evaluation import sequences_for
    from lnf_core.models.latent_flow import LatentFlow
    from lnf_core.storage.bundle import check_keeps_figures, keep_figures
    from lnf_core.storage.find import load

    loaded = load(checkpoint, revision=revision, device=resolve_device("cpu", threads))
    if not isinstance(loaded.model, LatentFlow):
        raise InvalidInputError(f"{checkpoint} has no latent space; give a checkpoint of a flow.")
    if write:
        check_keeps_figures(loaded)
    valid = sequences_for(loaded, load_dataset(loaded.dataset), "valid")
    counted = _count(loaded.model, valid[:sequences], steps, draws, seed)
    measured = counted | {"split": "valid", "draws": draws, "seed": seed}
    if as_json:
        said = {"checkpoint": checkpoint, "dataset": loaded.dataset, "variant": loaded.variant}
        print_json({**said, **measured})
    else:
        typer.echo(_said(checkpoint, measured))
    if write:  # after they are printed: a folder that cannot be written costs no figures
        keep_figures(loaded, {"modes": {**measured, **provenance()}})


def _said(checkpoint: str, measured: dict[str, Any]) -> str:
    error = measured["standard_error"]
    spread = "" if error is None else f" (standard error over sequences {error:.2f})"
    return (
        f"{checkpoint}: {measured['mean']:.2f} modes a step{spread}; more than one at {measured['multimodal']:.0%} of "
        f"{measured['steps']} steps of {measured['sequences']} sequences.\n{measured['method']}"
    )


def _count(model: Any, sequences: Any, steps: int, draws: int, seed: int) -> dict[str, Any]:  # noqa: ANN401 - heavy types
    """The figures, by the names they have in ``metrics.json``."""
    import torch

    from lnf_core.analysis.latents import draw_step, read_past
    from lnf_core.analysis.modes import count_modes

    means, several, total, method = [], 0, 0, ""
    for at, sequence in enumerate(sequences):
        x = sequence[: model.config.max_length]
        shown = model.reconstruct(x[:, None], torch.tensor([len(x)]))
        past = read_past(model, shown.z[:, 0], shown.eps[:, 0])
        places = sorted({int((part + 0.5) / steps * len(x)) for part in range(steps)})
        counts = []
        for place in places:
            generator = torch.Generator().manual_seed(seed + 1000 * at + place)
            cloud = draw_step(model, past, place, draws, generator=generator)
            found = count_modes(cloud.layers[-1], generator=generator)
            counts.append(found.count)
            method = found.method
        means.append(sum(counts) / len(counts))
        several += sum(count > 1 for count in counts)
        total += len(counts)
    averages = torch.tensor(means, dtype=torch.float64)
    return {
        "mean": float(averages.mean()),
        "standard_error": float(averages.std() / len(means) ** 0.5) if len(means) > 1 else None,
        "multimodal": several / total,
        "sequences": len(means),
        "steps": total,
        "method": method,
    }
