"""Print where the rolls of the music sets stand: the table of docs/data.md.

    python -m benchmarks.ranges

For each set, over all training steps that sound: the MIDI numbers of the columns (column + 21) of the lowest and the
highest note of a step, at 1 %, 50 % and 99 %, and the shift that is applied to what is heard.
"""

from __future__ import annotations

import sys

import torch

from lnf_core.data import DATASETS, load_dataset, sounding_shift
from lnf_core.errors import LNFError
from lnf_core.music import LOWEST_PITCH

SHARES = torch.tensor([0.01, 0.5, 0.99])


def quantiles(keys: list[int]) -> str:
    """Three quantiles of MIDI numbers, rounded down."""
    return ", ".join(str(int(value)) for value in torch.tensor(keys, dtype=torch.float32).quantile(SHARES))


def main() -> None:
    """One row for each music set."""
    rows = []
    for info in DATASETS.values():
        if info.domain == "music":
            steps = [row.nonzero()[:, 0] + LOWEST_PITCH for roll in load_dataset(info.name).train for row in roll]
            sounding = [step for step in steps if len(step)]
            low, high = ([int(step[at]) for step in sounding] for at in (0, -1))
            rows.append(f"| {info.title} | {quantiles(low)} | {quantiles(high)} | {sounding_shift(info.name)} |")
    print("| Data | lowest note of a step | highest note of a step | `sounding_shift` |\n|---|---|---|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    try:
        main()
    except LNFError as error:
        sys.exit(str(error))
