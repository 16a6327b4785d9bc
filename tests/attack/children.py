"""Processes that are attacked: forks of this one, which has imported everything already."""

import concurrent.futures.process
import fcntl
import multiprocessing.util
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import torch

PATIENCE = 90
"""Seconds that tell a hang from a busy machine, for what takes one."""

_TORN = "the last line is skipped, its writer was stopped before the end"
"""A note of what is read nevertheless."""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    stdout: str
    stderr: str
    hung: bool
    left: bool  # a process that it started was still there

    def faults(self, *codes: int) -> list[str]:
        """What must not be, whatever was asked for, and a code other than the expected ones."""
        found = []
        if self.hung:
            found.append(f"a hang: it has not ended within {PATIENCE} s")
        elif self.code not in codes:
            found.append(f"exit code {self.code}, not {' or '.join(map(str, codes))}")
        if "Traceback" in self.stderr or "Traceback" in self.stdout:
            found.append("a traceback")
        said = [line for line in self.stderr.splitlines() if not line.endswith(_TORN)]
        if self.code == 2 and not (len(said) == 1 and said[0].startswith("dysample: error: ")):
            found.append("exit code 2 without one line that says why")
        if self.left:
            found.append("a process was left behind")
        return [f"{fault}; stderr: {self.stderr[-1500:]!r}" for fault in found]


class Child:
    """A process of its own session, begun at once.

    Args:
        work: what it does; it ends as Python does after `SystemExit` or another exception.
        cwd: its working directory.
        limits: values of `resource.RLIMIT_*`.
    """

    def __init__(
        self, work: Callable[[], object], cwd: Path, limits: Mapping[int, int] | None = None
    ) -> None:
        pipes = [os.pipe() for _ in range(2)]
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _live(work, cwd, limits or {}, [write for _, write in pipes])
        _alive.add(self)
        self._pipes = [read for read, _ in pipes]
        self._said = [b"", b""]
        for read, write in pipes:
            os.close(write)
            os.set_blocking(read, False)
            with suppress(OSError):  # more than the system allows
                fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, 2**20)

    def signal(self, signum: int, group: bool = False) -> None:
        """Send a signal, as a terminal does to all processes, or as `kill` to one."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, signum)

    def catches(self, signum: int) -> bool:
        """Whether it has set a handler, or has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return True
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signum - 1) & 1) or "State:\tZ" in status

    def wait(self, patience: float = PATIENCE) -> Ended:
        """Until it ends; it is killed when it does not."""
        end, hung = time.monotonic() + patience, False
        while True:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self._read()
            if done:
                break
            if time.monotonic() > end:
                hung, end = True, float("inf")
                self.signal(signal.SIGCONT)
                self.signal(signal.SIGKILL)
            time.sleep(0.003)
        left = not self._alone(time.monotonic() + 30)
        if left:
            self.signal(signal.SIGKILL, group=True)
        _alive.discard(self)
        self._read()
        for pipe in self._pipes:
            os.close(pipe)
        out, err = (said.decode(errors="replace") for said in self._said)
        return Ended(os.waitstatus_to_exitcode(status), out, err, hung, left)

    def said_since(self) -> str:
        """What it has printed since this was called."""
        self._read()
        found = b"".join(self._said).decode(errors="replace")
        self._said = [b"", b""]
        return found

    def end(self) -> Ended:
        """Kill it and everything that it started."""
        self.signal(signal.SIGKILL, group=True)
        return self.wait()

    def _alone(self, end: float) -> bool:
        """Whether what it started ends too."""
        while time.monotonic() < end:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return True
            self._read()
            time.sleep(0.01)
        return False

    def _read(self) -> None:
        for place, pipe in enumerate(self._pipes):
            with suppress(BlockingIOError):
                while part := os.read(pipe, 2**16):
                    self._said[place] += part


_alive: set[Child] = set()


def end_all() -> None:
    """End those whose end nobody waits for any more."""
    for child in [*_alive]:
        with suppress(ChildProcessError):  # stopped where it was about to be noted
            child.end()


def verb(*arguments: object) -> Callable[[], object]:
    """The command line, as `dysample ARGUMENTS`; its workers are forks too."""

    def work() -> object:
        from dysample.cli import main

        sys.argv = ["dysample", *map(str, arguments)]
        with patch("multiprocessing.util.spawnv_passfds", _fork_worker):
            return main()

    return work


def process(*arguments: object) -> Callable[[], object]:
    """The same in a new interpreter, which imports everything first."""
    command = [sys.executable, "-m", "dysample", *map(str, arguments)]
    return lambda: os.execv(sys.executable, command)


def _live(
    work: Callable[[], object], cwd: Path, limits: Mapping[int, int], pipes: list[int]
) -> NoReturn:
    def prepared() -> None:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, pipe in enumerate(pipes, 1):
            os.dup2(pipe, number)
        os.closerange(3, _FILES)
        os.chdir(cwd)
        os.environ["HOME"] = str(cwd)
        for limit, value in limits.items():
            resource.setrlimit(limit, (value, value))
        work()

    _end_after(prepared)


def _fork_worker(path: bytes, command: Sequence[str], kept: Sequence[int]) -> int:
    """In place of a new interpreter, whose imports take longer than what the worker does.

    What reaches it is the same: the files of `kept`, the job in a pipe, signals as they are
    blocked; nothing that it shares with its parent otherwise. See `spawnv_passfds`.
    """
    if "--multiprocessing-fork" not in command:  # the tracker of resources, which imports little
        return _spawn(path, command, kept)
    pid = os.fork()
    if pid:
        return pid

    def begin() -> None:
        for signum in signal.valid_signals():
            if callable(signal.getsignal(signum)):
                signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        first = 3
        for number in sorted(kept):
            os.closerange(first, number)
            first = number + 1
        os.closerange(first, _FILES)
        # Those of pools of the parent, whose pipes are closed.
        concurrent.futures.process._threads_wakeups.clear()
        sys.argv = ["-c", "--multiprocessing-fork"]
        exec(command[command.index("-c") + 1], {})

    _end_after(begin)


_spawn = multiprocessing.util.spawnv_passfds
_FILES = 256
"""More than a process has open."""


def _end_after(work: Callable[[], object]) -> NoReturn:
    """Do what a fork is for, then end it as Python does."""
    code: object = 1
    try:
        # After a fork torch makes its pool anew, which fails if two threads are the first to ask.
        torch.set_num_threads(1)
        try:
            work()
            code = 0
        except SystemExit as stopped:
            code = 0 if stopped.code is None else stopped.code
        threading._shutdown()
        multiprocessing.util._exit_function()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else 1)
