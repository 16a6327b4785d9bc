"""Signals of a terminal, which reach every process that was started from it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_from_workers() -> Iterator[None]:
    """Processes that are started meanwhile do not get Ctrl-C; this one gets it afterwards.

    Interrupted while it starts a worker prints a traceback. Workers end with the process that
    started them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
