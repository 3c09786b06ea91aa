"""Print how far the package is from the reference implementation on the small models of tests/fixtures/parity.

    python -m benchmarks.parity
    python -m benchmarks.parity --device cuda

For each case: the largest absolute difference over real (not padded) steps of the latents, log q(z | x),
log p(z), the reconstruction and the sampled z, in float32; and whether the most likely symbols are the same.
The reference's numbers lie in the fixtures; nothing of it is run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from lnf_core.nets.positions import step_mask
from lnf_core.storage.textflow import from_state_dict

CASES = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "parity"
COLUMNS = ("z", "log q", "log p", "recon", "sample z")


def differences(path: Path, device: str = "cpu") -> tuple[dict[str, float], bool]:
    """The largest absolute difference of each quantity on ``device``, and whether the argmax symbols agree."""
    with safe_open(path, "pt") as file:
        sizes = file.metadata()
        tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118 - a safetensors file is no dict
    weights = {name.removeprefix("weight."): value for name, value in tensors.items() if name.startswith("weight.")}
    model = from_state_dict(weights, variant=sizes["kind"], likelihood=sizes["likelihood"]).to(device)
    x, lengths = tensors["input.x"], tensors["input.lengths"]
    mask = step_mask(lengths, len(x))

    def largest(ours: Tensor, expected: str) -> float:
        return float((ours - tensors[f"expect.{expected}"])[mask].abs().max())

    with torch.no_grad():
        posterior = model.encode(x, lengths)
        noise = tensors["input.posterior_noise"].permute(2, 0, 1, 3)  # [T, B, K, D] -> [K, T, B, D]
        elbo = model.elbo_at(x, lengths, posterior, noise)
        z = posterior.mean + posterior.std * noise
        log_q = posterior.log_prob(z).permute(1, 2, 0)
        sample = model.from_noise(tensors["input.prior_noise"], lengths, argmax=True)
    found = (
        largest(z.permute(1, 2, 0, 3), "z"),
        largest(log_q, "log_q_z"),
        largest(log_q - elbo.kl, "log_p_z"),
        largest(-elbo.log_px, "reconstruction_nll"),
        largest(sample.z, "sample_z") if sample.z is not None else float("nan"),
    )
    same = bool((sample.x.long() == tensors["expect.sample_argmax"])[mask].all())
    return dict(zip(COLUMNS, found, strict=True)), same


def main() -> None:
    """One line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    print(f"{'case':22}" + "".join(f"{column:>10}" for column in COLUMNS) + "    argmax")
    for path in sorted(CASES.glob("*.safetensors")):
        errors, same = differences(path, device)
        print(
            f"{path.stem:22}"
            + "".join(f"{errors[c]:10.1e}" for c in COLUMNS)
            + ("     exact" if same else "   DIFFERS")
        )


if __name__ == "__main__":
    main()
