"""Broken and extreme MIDI files, the same ones every time: a kind is a function of a good file and of dice."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch

from lnf_core.music import MAX_BYTES, midi_bytes, roll_to_midi


def real(seed: int) -> bytes:
    """A file as this package writes them: 48 steps of four voices."""
    generator = torch.Generator().manual_seed(seed)
    roll = torch.zeros(48, 88)
    roll[torch.arange(48).repeat(4), torch.randint(20, 60, (192,), generator=generator)] = 1.0
    return midi_bytes(roll_to_midi(roll))


def number(value: int) -> bytes:
    """A MIDI number of any size, in groups of seven bits."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127 | 128)
    return bytes(reversed(groups))


def smf(tracks: list[bytes], division: int = 480, declared: int | None = None) -> bytes:
    head = b"MThd\0\0\0\6\0\1" + len(tracks).to_bytes(2, "big") + division.to_bytes(2, "big")
    return head + b"".join(b"MTrk" + (declared or len(t)).to_bytes(4, "big") + t for t in tracks)


END = b"\0\xff\x2f\0"
NOTE = b"\0\x90\x3c\x40\x83\x60\x80\x3c\0"


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def flipped(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 40)):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def lost(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(14, len(data))
    return data[:at] + data[at + dice.randrange(1, 60) :]


def doubled(data: bytes, dice: random.Random) -> bytes:
    at, size = dice.randrange(len(data)), dice.randrange(1, 400)
    return data[:at] + data[at : at + size] * dice.randrange(2, 40) + data[at:]


def noisy(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(14, len(data))
    return data[:at] + dice.randbytes(dice.randrange(1, 2000)) + data[at:]


def after_the_header(data: bytes, dice: random.Random) -> bytes:
    return data[:22] + dice.randbytes(dice.randrange(1, 4000))


def wrong_lengths(data: bytes, dice: random.Random) -> bytes:
    return smf([NOTE + END], declared=dice.choice([0, 1, 5, 2**31 - 1, 2**32 - 1]))


def far_away(data: bytes, dice: random.Random) -> bytes:
    return smf([number(2 ** dice.randrange(10, 70)) + NOTE[1:] + END])


def many_tracks(data: bytes, dice: random.Random) -> bytes:
    return smf([dice.choice([NOTE, b""]) + END] * dice.randrange(1000, 20_000))


def many_notes(data: bytes, dice: random.Random) -> bytes:
    pitch = dice.randrange(128)
    return smf([bytes([0, 0x90, pitch, 64, 1, 0x80, pitch, 0]) * dice.choice((1, 100, 3_000, 20_000, 100_000)) + END])


def never_released(data: bytes, dice: random.Random) -> bytes:
    return smf([b"".join(bytes([0, 0x90, dice.randrange(128), 64]) for _ in range(500)) + END])


def never_struck(data: bytes, dice: random.Random) -> bytes:
    return smf([b"".join(bytes([1, 0x80, dice.randrange(128), 64]) for _ in range(500)) + END])


def running_status(data: bytes, dice: random.Random) -> bytes:
    return smf([b"\0" + bytes(dice.randrange(128) for _ in range(dice.randrange(1, 900))) + END])


def absurd_tempo(data: bytes, dice: random.Random) -> bytes:
    tempo = dice.choice([b"\0\0\0", b"\0\0\1", b"\xff\xff\xff"])
    return smf([b"\0\xff\x51\3" + tempo + NOTE + END], division=dice.choice([1, 480, 32767]))


def strange_grid(data: bytes, dice: random.Random) -> bytes:
    return data[:12] + dice.choice([b"\0\0", b"\0\1", b"\x7f\xff", b"\xe7\x28", b"\xff\xff"]) + data[14:]


def long_texts(data: bytes, dice: random.Random) -> bytes:
    size = dice.choice([10, 70_000, 2**28])
    return smf([b"\0\xff\1" + number(size) + b"\xfe" * min(size, 70_000) + NOTE + END])


def another_file(data: bytes, dice: random.Random) -> bytes:
    return dice.choice([b"RIFF\x24\0\0\0WAVEfmt ", b"PK\3\4", b"\x89PNG\r\n", b"so eine Musik", b"MThd"])


def system_messages(data: bytes, dice: random.Random) -> bytes:
    return smf([b"\0" + bytes([dice.choice([0xF0, 0xF7, 0xF1, 0xF4, 0xFD])]) + dice.randbytes(200) + END])


def too_large(data: bytes, dice: random.Random) -> bytes:
    return data + bytes(MAX_BYTES)


def nothing(data: bytes, dice: random.Random) -> bytes:
    return b"\0" * dice.randrange(0, 3)


KINDS: list[Callable[[bytes, random.Random], bytes]] = [
    cut, flipped, lost, doubled, noisy, after_the_header, wrong_lengths, far_away, many_tracks, many_notes,
    never_released, never_struck, running_status, absurd_tempo, strange_grid, long_texts, another_file,
    system_messages, too_large, nothing,
]  # fmt: skip
