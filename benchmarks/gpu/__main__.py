"""The GPU plan: ``python -m benchmarks.gpu STEP --out DIR``; docs/gpu.md says how to fire it.

    python -m benchmarks.gpu pack --out trip              the tree that goes to the machine
    python -m benchmarks.gpu 1-check --out DIR            tests, parity, agreement, training step, sampling
    python -m benchmarks.gpu 2-ptb --out DIR              text models side by side; 3-music: the music sets
    python -m benchmarks.gpu 4-engines --out DIR          every sampling engine
    python -m benchmarks.gpu tables --back DIR --out FILE the page made of what came back
    python -m benchmarks.gpu rehearsal --out DIR          all of it small, on the processor

A step exits with 0 when nothing is left to do and with 3 when the next call goes on; errors are 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.gpu.parcels import MIB, pack
from benchmarks.gpu.plan import read_plan
from benchmarks.gpu.record import Call, Clock
from benchmarks.gpu.rehearsal import rehearse
from benchmarks.gpu.steps import STEPS
from benchmarks.gpu.tables import tables
from lnf_core.cli.common import resolve_device
from lnf_core.errors import LNFError

GOES_ON = 3
"""Exit status of a step that left something for the next call."""


def main() -> int:
    """Run what the command line asks for; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=[*STEPS, "pack", "tables", "rehearsal"])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results (tables: the file)")
    parser.add_argument("--back", type=Path, help="folder with the results of earlier calls; by default --out")
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), help="whole runs; the same in every call")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--minutes", type=float, default=9.0, help="what one call may take")
    parser.add_argument("--only", action="append", default=[], metavar="MODEL", help="2-ptb, 3-music: this model alone")
    parser.add_argument("--first", action="append", default=[], metavar="MODEL", help="send this model's weights first")
    parser.add_argument("--train-minutes", type=float, help="2-ptb, 3-music: train no longer than this")
    parser.add_argument("--send-only", action="store_true", help="2-ptb, 3-music: train no further, pack what is there")
    parser.add_argument("--wheels", type=Path, help="pack: a folder of Python packages to take along")
    parser.add_argument("--small", action="store_true", help="small sizes, to rehearse")
    given = parser.parse_args()
    try:
        if given.step == "pack":
            begun = [run.recipe.released for run in read_plan() if run.recipe.released]
            size = pack(given.out, back=given.back, wheels=given.wheels, checkpoints=begun)
            print(f"{given.out}: {size / MIB:.1f} MiB")
        elif given.step == "tables":
            text = tables(given.back or given.out.parent, allow_small=given.small)
            given.out.write_text(text, encoding="utf-8")
        elif given.step == "rehearsal":
            rehearse(given.out)
        else:
            call = Call(
                out=given.out,
                back=given.back or given.out,
                work=given.work,
                device=resolve_device(given.device),
                small=given.small,
                clock=Clock(given.minutes),
                only=tuple(given.only),
                first=tuple(given.first),
                train_minutes=given.train_minutes,
                send_only=given.send_only,
            )
            return 0 if STEPS[given.step](call) else GOES_ON
    except LNFError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
