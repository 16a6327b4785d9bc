"""Jobs for the engine's tests: worker processes import them from here by name."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Tell = Callable[[int, int], None]


def report_threads(tell: Tell) -> dict[str, Any]:
    import torch

    tell(10, 10)
    return {"threads": torch.get_num_threads(), "process": os.getpid()}


def hurry(tell: Tell) -> dict[str, Any]:
    # No other thread of this process gets a turn in between.
    sys.setswitchinterval(10)
    tell(5, 5)
    return {}


def fail(tell: Tell) -> dict[str, Any]:
    raise ValueError("`loss` (=nan) must be finite")


def die(tell: Tell) -> dict[str, Any]:
    os._exit(9)


def tick_forever(file: Path, tell: Tell) -> dict[str, Any]:
    while True:
        file.write_text(str(time.time()))
        time.sleep(0.05)


def die_once(file: Path, tell: Tell) -> dict[str, Any]:
    if not file.exists():
        file.touch()
        os._exit(9)
    return {}


def take_a_while(tell: Tell) -> dict[str, Any]:
    start = time.time()
    time.sleep(0.3)
    return {"start": start, "end": time.time()}


def take_steps(tell: Tell) -> dict[str, Any]:
    for step in range(40):
        time.sleep(0.1)
        tell(step + 1, 40)
    return {"steps": 40}
