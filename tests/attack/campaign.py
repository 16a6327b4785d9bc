"""The campaign: kinds of attack by turns, until their targets are reached or the time is up."""

import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from attack.kinds import Kind, Made, Outcome, SkipError

Say = Callable[[str], None]


@dataclass
class Count:
    """What a kind has tried so far."""

    seed: int
    tried: int = 0
    seconds: float = 0
    failed: list[int] = field(default_factory=list)
    skipped: str = ""


def one(kind: Kind, seed: int, made: Made) -> Outcome:
    """Make one attack; it depends on its kind and its seed alone."""
    folder = Path(tempfile.mkdtemp(prefix="case-", dir=made.folder))
    try:
        return kind.attack(Random(f"{kind.name} {seed}"), folder, made)
    except SkipError:
        raise
    except Exception:  # a fault of the campaign is one too
        return Outcome(1, [f"the attack itself failed: {traceback.format_exc()}"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def campaign(
    kinds: Sequence[Kind],
    counts: dict[str, Count],
    seconds: float,
    target: Callable[[Kind], float],
    made: Made,
    say: Say,
) -> None:
    """Attack until every target is reached, or the time is up.

    Args:
        kinds: the one that is farthest from its target comes next.
        counts: of each kind, with its first seed; they are right whenever this is stopped.
        seconds: after which no attack begins.
        target: of a kind.
        made: what the attacks share.
        say: takes a line.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = [
            kind
            for kind in kinds
            if not counts[kind.name].skipped and counts[kind.name].tried < target(kind)
        ]
        if not left:
            break
        kind = min(left, key=lambda kind: counts[kind.name].tried / target(kind))
        count, began = counts[kind.name], time.monotonic()
        try:
            outcome = one(kind, count.seed, made)
        except SkipError as error:
            count.skipped = str(error)
            say(f"{kind.name}: skipped: {error}")
            continue
        for fault in outcome.faults:
            say(f"{kind.name} {count.seed}: {fault}")
        if outcome.faults:
            count.failed.append(count.seed)
            say(f"  repeat: {repeat(kind, count.seed)}")
        count.tried += outcome.tried
        count.seconds += time.monotonic() - began
        count.seed += 1


def repeat(kind: Kind, seed: int) -> str:
    """The command that makes one attack again."""
    return f'make attack ARGS="--kind {kind.name} --seed {seed}"'


def table(kinds: Sequence[Kind], counts: dict[str, Count], target: Callable[[Kind], float]) -> str:
    """What was tried, a line a kind and one a unit."""
    lines = []
    for kind in kinds:
        count = counts[kind.name]
        state = f"skipped: {count.skipped}" if count.skipped else f"{len(count.failed)} failed"
        tried = f"{count.tried} of {target(kind):.0f} {kind.unit}"
        lines.append(f"{kind.name:<12} {tried:<24} {count.seconds:6.0f} s  {state}")
    for unit in dict.fromkeys(kind.unit for kind in kinds):
        of_unit = [counts[kind.name] for kind in kinds if kind.unit == unit]
        tried, failed = sum(c.tried for c in of_unit), sum(len(c.failed) for c in of_unit)
        lines.append(f"{tried} {unit}, {failed} failed")
    return "\n".join(lines)
