"""What a process may take that is given bad input: more is a hang, or too much memory."""

import resource
from pathlib import Path

SECONDS = 30
"""Of a processor; real ones tell nothing on a busy machine."""

MEMORY = 4 * 2**30
"""Bytes beyond those that a fork has mapped at its start."""


def of_input() -> dict[int, int]:
    """Limits for `Child`."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return {
        resource.RLIMIT_CPU: SECONDS,
        resource.RLIMIT_AS: pages * resource.getpagesize() + MEMORY,
    }
