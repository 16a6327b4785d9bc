"""Disks that become full, files that must not grow, and too few of them: refused, then gone on."""

import os
import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import Random

from attack.children import Child, verb
from attack.kills import compared_weights, files, finish, lines
from attack.kinds import TRAIN, Kind, Made, Outcome, SkipError


def _tmpfs(rng: Random, folder: Path, made: Made) -> Outcome:
    if os.geteuid() != 0:
        raise SkipError("only root mounts a small tmpfs")
    used = sum((made.trained / name).stat().st_size for name in files(made.trained))
    output = folder / "out"
    output.mkdir()
    _mount(output, f"size={rng.randrange(4096, 2 * used)}")
    try:
        outcome = _limited(folder, {})
        _mount(output, "size=64m,remount")
        return _gone_on(outcome, folder, made)
    finally:
        subprocess.run(["umount", "-l", output], check=False, capture_output=True)


def _mount(output: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(output)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SkipError(f"no tmpfs can be mounted: {' '.join(done.stderr.split())}")


def _file_size(rng: Random, folder: Path, made: Made) -> Outcome:
    largest = max((made.trained / name).stat().st_size for name in files(made.trained))
    limit = int(largest * rng.uniform(0, 1.1) ** 3)
    return _gone_on(_limited(folder, {resource.RLIMIT_FSIZE: limit}), folder, made)


def _open_files(rng: Random, folder: Path, made: Made) -> Outcome:
    limit = rng.randrange(4, 40)
    return _gone_on(_limited(folder, {resource.RLIMIT_NOFILE: limit}), folder, made)


def _limited(folder: Path, limits: Mapping[int, int]) -> Outcome:
    ended = Child(verb(*TRAIN, "--resume", "--output", folder / "out"), folder, limits).wait()
    faults = ended.faults(0, 2)
    if ended.code == 2 and lines(folder / "out"):
        faults.append("a result was written by a command that failed")
    return Outcome(1, [f"{fault}; limits {dict(limits)}" for fault in faults])


def _gone_on(outcome: Outcome, folder: Path, made: Made) -> Outcome:
    command = [*TRAIN, "--resume", "--output", folder / "out"]
    outcome = finish(outcome, command, made.trained, folder)
    outcome.faults += compared_weights(made.trained, folder / "out")
    return outcome


KINDS = (
    Kind("tmpfs", "limits", 20, _tmpfs),
    Kind("file-size", "limits", 20, _file_size),
    Kind("open-files", "limits", 20, _open_files),
)
