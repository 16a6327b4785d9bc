"""How the command line ends: a usage error is one line on stderr, a signal prints how to resume."""

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
    "compare": "; run the same command again to resume",
    "train": "; run the same command with --resume to resume",
}
"""How to resume an interrupted verb; the others start again."""

MISTAKES = (ValueError, TypeError, OSError)
"""Errors of the user's input or of the machine; anything else is a bug of ours."""

LEAST = 30
"""Seconds that a stopped verb has to clean up; its file writes are atomic anyway."""


class Stops:
    """Turns the signals that end a process into KeyboardInterrupt, as a context.

    Handlers set by others are kept. Ignored signals stay ignored, as with nohup or in the
    background of a script.
    """

    signum: int | None = None
    """The signal that came."""

    said = False
    """Whether that is on the terminal."""

    def __enter__(self) -> "Stops":
        """Install the handlers."""
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
        """Restore the previous handlers, unless the process is about to end."""
        if not self._before or self.signum is not None:
            return  # a second signal and the alarm still apply
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        sys.unraisablehook = self._hook

    def _stop(self, signum: int, _: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked worker prints nothing
            os._exit(128 + signum)
        if self.signum is not None:  # a second time: at once
            self._leave()
        self.signum = signum
        if hasattr(signal, "setitimer"):  # an exception may be swallowed, or a library may hang
            signal.signal(signal.SIGALRM, lambda *_: self._leave())
            signal.setitimer(signal.ITIMER_REAL, LEAST)
        raise KeyboardInterrupt

    def _swallowed(self, unraisable: Any) -> None:
        """Stop even where Python drops exceptions, such as in a finaliser."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt) and self.signum is not None:
            self._leave()
        self._hook(unraisable)

    def _leave(self) -> NoReturn:
        os._exit(self.say())

    def say(self) -> int:
        """Print how to resume, once; return the exit code."""
        others = ("LOCAL_RANK", "NODE_RANK", "RANK")  # ranks of distributed training
        if not self.said and all(os.environ.get(name, "0") == "0" for name in others):
            self.said = True
            line = f"dysample: stopped{GOES_ON.get(''.join(sys.argv[1:2]), '')}"
            with suppress(OSError, ValueError):  # the terminal may be gone
                click.echo(line, err=True)
        return 128 + (self.signum or signal.SIGINT)


def end(verbs: Callable[[], Any]) -> NoReturn:
    """Run the command line and exit: 2 after a usage error, 128 plus the number after a signal.

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
    """Print an exception and return the exit code; an unexpected one is raised again."""
    message = _mistake(error)
    if message is None and not isinstance(error, SystemExit):
        # A signal to all processes may have stopped a worker first, which then causes the
        # exception.
        with suppress(KeyboardInterrupt):
            time.sleep(0.1)
    # A library may have replaced the KeyboardInterrupt by another exception.
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
    """Flush standard output, so that a write error is noticed now.

    Raises:
        OSError: a full disk; a closed pipe is no error.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at exit, and print another error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from error


def _mistake(error: BaseException) -> str | None:
    """Return the message of a usage error; None for other exceptions."""
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
    """Torch has a separate exception for CUDA only."""
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )
