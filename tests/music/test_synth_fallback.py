"""What a fresh interpreter loads, and what it plays where libfluidsynth is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python(program: str) -> str:
    """Run a program in a fresh interpreter; its output."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# What ctypes answers on a machine without libfluidsynth. It has to be in place before pyfluidsynth is first imported.
WITHOUT_LIBRARY = (
    "import ctypes.util, os\nctypes.util.find_library = lambda name: None\nos.environ.pop('HOMEBREW_PREFIX', 0)\n"
)


def test_importing_the_package_loads_no_synthesizer_and_without_the_library_sine_voices_play() -> None:
    out = python(
        WITHOUT_LIBRARY + "import sys, torch, lnf_core.music\n"
        "print([name for name in ('pretty_midi', 'mido', 'fluidsynth') if name in sys.modules])\n"
        "from lnf_core.errors import SynthesisError\n"
        "from lnf_core.music import Synthesizer, roll_to_midi\n"
        "synth = Synthesizer()\n"
        "audio = synth.render(roll_to_midi(torch.eye(88)[40:44]))\n"
        "print(synth.available, audio.synthesizer, abs(audio.samples).max() > 1000)\n"
        "print(synth.reason)\n"
        "try:\n"
        "    Synthesizer(kind='fluidsynth')\n"
        "except SynthesisError as error:\n"
        "    print(error)\n"
    )
    loaded, state, reason, raised = out.splitlines()
    assert loaded == "[]"
    assert state == "False sine True"
    assert "libfluidsynth was not found" in reason
    assert "apt install fluidsynth" in reason
    assert raised == reason
