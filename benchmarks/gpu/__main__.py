"""``python -m benchmarks.gpu STEP``: fire one step of the plan, join what came back, or write the report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.gpu.parts import join
from benchmarks.gpu.plan import STEPS, Call
from benchmarks.gpu.report import report
from lnf_core.errors import LNFError


def main() -> None:
    """Read the options and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("step", choices=[*STEPS, "rehearsal", "join", "report"])
    parser.add_argument("--out", type=Path, default=Path("gpu-results"), help="what comes back (default gpu-results)")
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), help="what stays there (default runs/gpu)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--minutes", type=float, default=9.0, help="what a step may take (default 9)")
    parser.add_argument("--small", action="store_true", help="every part at sizes a processor does in seconds")
    options = parser.parse_args()
    try:
        if options.step == "join":
            for listing in sorted(options.out.glob("*.parts")):
                print(join(listing, options.out / "joined"))
        elif options.step == "report":
            print(report(options.out), end="")
        else:
            _fire(options)
    except LNFError as error:
        sys.exit(str(error))


def _fire(options: argparse.Namespace) -> None:
    rehearsal = options.step == "rehearsal"
    device = "cpu" if rehearsal else options.device
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("No CUDA device here; a rehearsal runs with --device cpu --small.")
    call = Call(options.out, options.work, device, 60 * options.minutes, options.small or rehearsal)
    for name in STEPS if rehearsal else (options.step,):
        print(f"{name} ...", flush=True)
        STEPS[name](call)


if __name__ == "__main__":
    main()
