"""`python -m attack`, with this folder's parent on the path: see `make attack`."""

import argparse
import importlib
import math
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from attack import data, disks, files, kills, page, words
from attack.campaign import Count, campaign, table
from attack.children import end_all
from attack.kinds import Kind, Made

KINDS: tuple[Kind, ...] = (
    *data.KINDS, *files.KINDS, *words.KINDS, *kills.KINDS, *disks.KINDS, *page.KINDS
)  # fmt: skip
MINUTES = 20.0
"""The usual time; with more, the targets grow too."""

# What forks would import again and again.
_NEEDED = (
    "cli.group",
    "export",
    "hub",
    "model_files",
    "surgery",
    "workbench.bench.run",
    "workbench.compare.comparison",
    "workbench.costs.tables",
    "workbench.data.catalog",
    "workbench.data.overview",
    "workbench.compare.engines.by_name",
    "workbench.training.evaluate",
    "workbench.look.models",
    "workbench.report.page.page",
    "workbench.report.report",
    "workbench.resolver",
    "workbench.training.restore",
    "workbench.training.train",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack; 1 if anything failed. The counts are printed after Ctrl-C too."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS])
    parser.add_argument("--seed", type=int, help="make the attack of this seed alone")
    parser.add_argument("--first", type=int, default=0, help="the first seed of each kind")
    parser.add_argument("--each", type=int, help="so many of each kind, instead of its target")
    given = parser.parse_args(arguments)
    minutes = float(os.environ.get("DYSAMPLE_ATTACK_MINUTES", MINUTES))
    kinds = [kind for kind in KINDS if given.kind is None or kind.name in given.kind]
    only = 1 if given.seed is not None else given.each

    def target(kind: Kind) -> float:
        return only or math.ceil(kind.target * max(1.0, minutes / MINUTES))

    torch.set_num_threads(1)
    for name in _NEEDED:
        importlib.import_module(f"dysample.{name}")
    folder = Path(tempfile.mkdtemp(prefix="dysample-attack-"))
    first = given.first if given.seed is None else given.seed
    made, counts = Made(folder), {kind.name: Count(first) for kind in kinds}
    code = 0
    try:
        campaign(kinds, counts, 60 * minutes, target, made, _say)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    finally:
        made.close()
        end_all()
        shutil.rmtree(folder, ignore_errors=True)
    _say(table(kinds, counts, target))
    return code or int(any(count.failed for count in counts.values()))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
