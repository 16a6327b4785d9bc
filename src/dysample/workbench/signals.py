"""Keep Ctrl-C from worker processes: a terminal sends it to every process started from it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_from_workers() -> Iterator[None]:
    """Start processes that ignore Ctrl-C; this process receives it afterwards.

    A worker that is interrupted while it starts would print a traceback. Workers end with the
    process that started them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
