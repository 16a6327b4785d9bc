"""Runs as `dysample compare` leaves them, trained for two steps; images that must be refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from dysample.workbench.settings import settings_for
from dysample.workbench.training.run import run_task
from support.specs import spec_of

TINY = {"size": 64, "steps": 2, "batch_size": 2, "width": 32, "train_frames": 4, "val_frames": 2}


def train(output: Path, upsampler: str, task: str = "semantic") -> Path:
    """The folder of a run, as `dysample compare` leaves it."""
    spec = spec_of(settings_for(task, "scenes", **TINY), upsampler, task=task)
    folder = spec.folder(output)
    run_task(spec, folder)
    return folder


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes whose head promises that many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))
    path.write_bytes(body + chunk(b"IEND", b""))
    return path
