"""The process that `dysample.workbench.bench.run` starts: it prints one JSON line per row."""

import json
import os
import signal
import sys

from dysample.workbench.bench.measure import measure
from dysample.workbench.bench.run import REGIMES
from dysample.workbench.bench.workloads import select


def main(suite: str, only: str, rounds: str) -> None:
    """Measure the selected workloads."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    malloc = next(name for name, value in REGIMES.items() if value == tunables)
    for workload in select(suite, only):
        rows = measure(workload, int(rounds), malloc)
        sys.stdout.write(json.dumps(rows, allow_nan=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent process prints the message
    main(*sys.argv[1:])
