"""Prepare and validate data before training."""

from collections.abc import Mapping

from rich.console import Console
from rich.progress import TaskID

from dysample.workbench.data.catalog import open_splits
from dysample.workbench.data.disk_set import DiskSet
from dysample.workbench.data.scan import check
from dysample.workbench.headline import say
from dysample.workbench.settings import Settings
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.terminal import bars


def prepare(data: str, tasks: Mapping[str, Settings], console: Console) -> None:
    """Check, render or read the data once.

    Args:
        data: "scenes" or "NAME:PATH".
        tasks: by name, the settings of their runs.
        console: for progress.

    Raises:
        ValueError, FileNotFoundError: data that cannot be used.
    """
    check_files(data, console)
    with bars(console) as progress:
        for task, settings in tasks.items():
            bar = progress.add_task(f"{data.partition(':')[0]} for {task}", total=None)

            def tell(done: int, total: int, bar: TaskID = bar) -> None:
                progress.update(bar, completed=done, total=total)

            train, _ = task_class(task).load(data, settings, tell)
            if isinstance(train, DiskSet) and train.left_out:
                text = f"{train.left_out} training images without objects are left out of {task}"
                say(console, text)


def check_files(data: str, console: Console) -> None:
    """Check every file of a data set on disk.

    Args:
        data: "scenes" or "NAME:PATH".
        console: for progress.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be used.
    """
    if data != "scenes":
        for split in open_splits(data):
            check(split, console)
