"""Recipes of small runs."""

from __future__ import annotations

from pathlib import Path

SMALL = (
    '"model.hidden_size" = 8, "model.embedding_size" = 8, "model.prior_hidden" = 8, "model.latent_size" = 4, '
    '"model.flow_hidden" = 8, "model.flow_layers" = 2, precision = "fp32", batch_size = 8, valid_every = 4, '
    "valid_batches = 0, kl_floor = 1.0, kl_wait_reconstruction = 0, kl_ramp_steps = 0"
)


def recipe_file(folder: Path, *stages: str, head: str = 'preset = "ptb/af-scf"') -> Path:
    written = [
        f'[[stage]]\nname = "{chr(97 + n)}"\nsettings = {{ {SMALL}, {stage} }}' for n, stage in enumerate(stages)
    ]
    path = folder / "small.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join([head, *written]))
    return path
