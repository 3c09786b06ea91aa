"""Many visitors at once, as browsers would be, on a server this starts on 127.0.0.1.

    python -m benchmarks.load --visitors 20 --rounds 1

Every visitor opens the page, presses Sample (64 steps, one after the other of the models) within the same two seconds,
asks for the sound of the first piece, and does so again after 5 to 15 seconds. Measured by each visitor's own clock:
from the press to the answer the picture is drawn from, and to the first byte of the sound. Prints a table and, with
``--json``, one object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from app.fields import FIELDS
from lnf_core.benchmark import machine

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("jsb/af-scf", "jsb/iaf-scf", "jsb/af-af", "jsb/lstm")


@dataclass
class Measured:
    """What all visitors saw, in seconds."""

    shown: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    later_heard: list[float] = field(default_factory=list)
    full: int = 0
    """Presses that were told the queue is full."""
    errors: list[str] = field(default_factory=list)
    megabytes: list[int] = field(default_factory=list)
    """The server's memory after every hundred presses."""

    @property
    def presses(self) -> int:
        """Answered so far."""
        return len(self.shown) + len(self.later)


@dataclass(frozen=True)
class Page:
    """What a browser learns from the page's configuration."""

    address: str
    sample: int
    """Number of the function behind the button."""
    roll: int
    """Number of the piano roll."""

    @classmethod
    def read(cls, address: str) -> Page:
        """From the running server."""
        config = httpx.get(f"{address}/config", timeout=60).json()
        ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
        button = ids["sample-button"]
        sample = next(d["id"] for d in config["dependencies"] if [button, "click"] in [list(t) for t in d["targets"]])
        return cls(address, sample, ids["roll"])


async def press(
    page: Page, client: httpx.AsyncClient, session: str, model: str, seed: int, length: int = 64
) -> dict[str, Any]:
    """One press of the button; the roll's new value."""
    asked = {field.name: field.default for field in FIELDS} | {"length": str(length), "seed": str(seed)}
    values = [model, *asked.values(), model.split("/")[0]]  # the page tells whose usual values its fields show
    body = {"data": values, "fn_index": page.sample, "session_hash": session, "trigger_id": None}
    joined = await client.post(f"{page.address}/gradio_api/queue/join", json=body)
    if joined.status_code == 503:
        raise BlockingIOError("the queue is full")
    joined.raise_for_status()
    url = f"{page.address}/gradio_api/queue/data?session_hash={session}"
    async with client.stream("GET", url) as stream:
        async for line in stream.aiter_lines():
            if not line.startswith("data:"):
                continue
            message = json.loads(line[5:])
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError(str(message["output"])[:200])
                status, roll, _ = message["output"]["data"]
                if status.get("kind") != "done":
                    raise RuntimeError(status["text"])
                if f"seed={seed}" not in status["query"]:
                    raise RuntimeError(f"another visitor's result: {status['query']} for seed {seed}")
                value: dict[str, Any] = roll["value"]
                return value
    raise RuntimeError("the stream ended without an answer")


async def listen(page: Page, client: httpx.AsyncClient, session: str, roll: dict[str, Any]) -> None:
    """Ask for the sound of the first piece, as the roll's script does."""
    wanted = {"piece": roll["samples"][0]["piece"], "kind": "flac"}
    body = {"data": wanted, "component_id": page.roll, "fn_name": "sound", "session_hash": session}
    answer = (await client.post(f"{page.address}/gradio_api/component_server", json=body)).json()
    if "error" in answer:
        raise RuntimeError(answer["error"])
    sound = await client.get(f"{page.address}/gradio_api/file={answer['path']}")
    sound.raise_for_status()
    if len(sound.content) < 1000:
        raise RuntimeError("the sound is empty")


async def visit(page: Page, number: int, rounds: int, measured: Measured) -> None:
    """One visitor."""
    dice, session = random.Random(number), uuid.uuid4().hex
    async with httpx.AsyncClient(timeout=180) as client:
        await client.get(page.address)
        await asyncio.sleep(dice.uniform(0, 2))
        for turn in range(1 + rounds):
            if turn:
                await asyncio.sleep(dice.uniform(5, 15))
            began = time.perf_counter()
            try:
                roll = await press(page, client, session, MODELS[(number + turn) % len(MODELS)], 1000 * number + turn)
                (measured.later if turn else measured.shown).append(time.perf_counter() - began)
                await listen(page, client, session, roll)
                (measured.later_heard if turn else measured.heard).append(time.perf_counter() - began)
            except BlockingIOError:
                measured.full += 1
            except (httpx.HTTPError, RuntimeError, KeyError) as error:
                measured.errors.append(f"{type(error).__name__}: {error}")


async def crowd(page: Page, visitors: int, rounds: int, server: subprocess.Popen[bytes]) -> Measured:
    """All visitors together; the server's memory is looked at after every hundred presses."""
    measured = Measured()

    async def weigh() -> None:
        while True:
            if measured.presses >= 100 * (len(measured.megabytes) + 1):
                measured.megabytes.append(round(memory(server)))
            await asyncio.sleep(0.5)

    weighing = asyncio.ensure_future(weigh())
    await asyncio.gather(*(visit(page, number, rounds, measured) for number in range(1, visitors + 1)))
    weighing.cancel()
    return measured


def memory(process: subprocess.Popen[bytes]) -> float:
    """Resident megabytes of the server, of 1,024 kilobytes of 1,024 bytes."""
    return float(psutil.Process(process.pid).memory_info().rss / 2**20)


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and longest, in seconds."""
    return {name: round(float(np.quantile(seconds, q)), 2) for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))}


def main() -> None:
    """Start the server, send the crowd, print what they saw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5, help="presses after the rush, each")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "app.py", "--port", str(port)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                try:
                    httpx.get(address, timeout=5)
                    break
                except httpx.HTTPError:
                    time.sleep(0.3)
            page = Page.read(address)
            time.sleep(20)  # the compiled engine gets ready in the background
            before = memory(server)
            measured = asyncio.run(crowd(page, arguments.visitors, arguments.rounds, server))
            after = memory(server)
        finally:
            server.terminate()
            server.wait(timeout=20)
    rows = {
        "the rush, shown": measured.shown,
        "the rush, heard": measured.heard,
        "later, shown": measured.later,
        "later, heard": measured.later_heard,
    }
    report = {
        "visitors": arguments.visitors,
        "presses": measured.presses,
        "seconds": {name: summary(seconds) for name, seconds in rows.items() if seconds},
        "queue_full": measured.full,
        "errors": measured.errors,
        "memory_mb": {"before": round(before), "each_hundred_presses": measured.megabytes, "after": round(after)},
        "machine": machine(),
    }
    if arguments.json:
        print(json.dumps(report))
        return
    print(f"{report['visitors']} visitors, {report['presses']} presses of three pieces of 64 steps each\n")
    print("| | p50 s | p95 s | longest s |\n|---|---:|---:|---:|")
    for name, found in report["seconds"].items():
        print(f"| {name} | {found['p50']} | {found['p95']} | {found['max']} |")
    print(f"\nQueue full {measured.full} times; {len(measured.errors)} errors {measured.errors[:3]};")
    hundreds = ", ".join(map(str, measured.megabytes)) or "fewer than a hundred"
    print(f"server memory {before:.0f} MB before, {hundreds} after every hundred presses, {after:.0f} MB after.")


if __name__ == "__main__":
    main()
