"""Prepare and validate data before training."""

from collections.abc import Mapping

from rich.console import Console
from rich.progress import TaskID

from dysample.workbench.data.catalog import open_splits
from dysample.workbench.data.scan import check
from dysample.workbench.settings import Settings
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.terminal import bars


def prepare(data: str, tasks: Mapping[str, Settings], console: Console) -> None:
    """Render the scenes, or check every file of a data set on disk, once for all runs.

    Args:
        data: "scenes" or "NAME:PATH".
        tasks: by name, the settings of their runs.
        console: for progress.

    Raises:
        ValueError, FileNotFoundError: data that cannot be used.
    """
    if data != "scenes":
        for split in open_splits(data):
            check(split, console)
        return
    with bars(console) as progress:
        for task, settings in tasks.items():
            bar = progress.add_task(f"{data} for {task}", total=None)

            def tell(done: int, total: int, bar: TaskID = bar) -> None:
                progress.update(bar, completed=done, total=total)

            task_class(task).load(data, settings, tell)
