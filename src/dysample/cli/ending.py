"""How the command line ends: a mistake is one line on stderr, a signal says how to go on."""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click

from dysample.extras import missing

GOES_ON = {
    "compare": "; the same command goes on from here",
    "train": "; with --resume the same command goes on from here",
}
"""How an interrupted verb goes on; the others begin again."""

MISTAKES = (ValueError, TypeError, OSError)
"""What is wrong with what a user gave, or with the machine; anything else is a fault of ours."""

LEAST = 30
"""Seconds that a stopped verb has to clean up; what it writes is whole or absent anyway."""


class Stops:
    """Turns the signals that end a process into KeyboardInterrupt, as a context.

    A handler that was set by somebody else stays, and so does a signal that is ignored: with
    nohup, or in the background of a script.
    """

    signum: int | None = None
    """The signal that came."""

    said = False
    """Whether that is on the terminal."""

    def __enter__(self) -> "Stops":
        """Set the handlers."""
        self._process = os.getpid()
        self._before: dict[int, Any] = {}
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread may set handlers
        self._hook = sys.unraisablehook
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signum = getattr(signal, name, None)  # Windows has no SIGHUP
            usual = (signal.SIG_DFL, signal.default_int_handler)
            if signum is not None and signal.getsignal(signum) in usual:
                self._before[signum] = signal.signal(signum, self._stop)
        sys.unraisablehook = self._swallowed
        return self

    def __exit__(self, *_: object) -> None:
        """Put the former ones back, unless the process is about to end."""
        if not self._before or self.signum is not None:
            return  # a second signal, and the alarm, count until then
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        sys.unraisablehook = self._hook

    def _stop(self, signum: int, _: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked worker, which has nothing to say
            os._exit(128 + signum)
        if self.signum is not None:  # a second time: at once
            self._leave()
        self.signum = signum
        if hasattr(signal, "setitimer"):  # an exception may be swallowed, or a library may hang
            signal.signal(signal.SIGALRM, lambda *_: self._leave())
            signal.setitimer(signal.ITIMER_REAL, LEAST)
        raise KeyboardInterrupt

    def _swallowed(self, unraisable: Any) -> None:
        """Stop nevertheless where Python drops exceptions, such as while an object dies."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt) and self.signum is not None:
            self._leave()
        self._hook(unraisable)

    def _leave(self) -> NoReturn:
        os._exit(self.say())

    def say(self) -> int:
        """Say how to go on, once; the exit code."""
        others = ("LOCAL_RANK", "NODE_RANK", "RANK")  # processes that train together
        if not self.said and all(os.environ.get(name, "0") == "0" for name in others):
            self.said = True
            line = f"dysample: stopped{GOES_ON.get(''.join(sys.argv[1:2]), '')}"
            with suppress(OSError, ValueError):  # the terminal may be gone
                click.echo(line, err=True)
        return 128 + (self.signum or signal.SIGINT)


def end(verbs: Callable[[], Any]) -> NoReturn:
    """Run the command line, and exit: 2 after a mistake, 128 and the signal's number after one.

    Args:
        verbs: returns the exit code.
    """
    with Stops() as stops:
        try:
            code = verbs()
            _flush()
            if stops.signum is not None:
                code = stops.say()
        except BaseException as error:
            code = _code_of(error, stops)
    sys.exit(code)


def _code_of(error: BaseException, stops: Stops) -> Any:
    """The exit code after an exception, which is told; one that nobody foresaw is raised again."""
    message = _mistake(error)
    if message is None and not isinstance(error, SystemExit):
        # A signal to all processes may have reached a worker first, whose end is the exception.
        with suppress(KeyboardInterrupt):
            time.sleep(0.1)
    # Whatever a library made of the KeyboardInterrupt.
    if stops.signum is not None or isinstance(error, KeyboardInterrupt | click.Abort):
        return stops.say()
    if isinstance(error, SystemExit):
        return error.code
    if message is None:
        raise error
    with suppress(OSError):
        click.echo(f"dysample: error: {' '.join(message.split())}", err=True)
        _flush()
    return 2


def _flush() -> None:
    """Notice now that what was printed cannot be written.

    Raises:
        OSError: a full disk; a pipe that nobody reads any more is no mistake.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at the exit, and print that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from error


def _mistake(error: BaseException) -> str | None:
    """What to tell of a mistake; None for other exceptions."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, ModuleNotFoundError):  # of an extra that is not installed
        return missing(error.name, "".join(sys.argv[1:2])) if error.name else str(error)
    if isinstance(error, OSError) and error.strerror is not None:
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{where}{error.strerror}{_advice(error)}"
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return f"out of memory: {str(error) or 'there is not enough of it'}"
    return str(error) or type(error).__name__ if isinstance(error, MISTAKES) else None


def _advice(error: OSError) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return " (ulimit -n says how many a process may have)"
    return ""


def _is_out_of_memory(error: BaseException) -> bool:
    """Torch has an exception of its own for CUDA alone."""
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )
