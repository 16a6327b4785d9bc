"""One training in a folder of its own: begun, or gone on with, and recorded."""

from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from dysample.files import sweep, whole_file
from dysample.workbench.checkpoints import LAST
from dysample.workbench.config import Config
from dysample.workbench.folders import alone_in
from dysample.workbench.headline import print_metrics
from dysample.workbench.prepare import check_files, prepare
from dysample.workbench.progress import Bars
from dysample.workbench.results import ResultFile
from dysample.workbench.run import describe_data, run_task
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.trainer import is_first_process

CONFIG = "config.yaml"
RESULTS = "results.jsonl"

PATIENCE = 10
"""Seconds within which the loader workers of a killed training notice, and let go of its folder."""


def train(config: Config, resume: bool, console: Console) -> None:
    """Train and evaluate as configured, append the record to the folder's results, and print it.

    Args:
        config: everything the run depends on.
        resume: go on with the run in the output folder, if one was begun there.
        console: for progress and the metrics.

    Raises:
        ValueError, TypeError, FileNotFoundError: a user's mistake, before anything is trained.
    """
    _check(config)
    folder = config.output
    first = is_first_process()
    with alone_in(folder, PATIENCE) if first else nullcontext():
        if first:
            _claim(folder, config, resume)
            _prepare(config, resume, console)
        record = run_task(
            config.task,
            config.upsampler,
            config.seed,
            config.data,
            config.settings,
            folder,
            upsampler_options=config.upsampler_options,
            training=config.training,
            callbacks=[Bars(console)],
            tensorboard=True,
            streamed=True,
        )
        if first:
            results = ResultFile(folder / RESULTS)
            if record["run"] not in results.finished():
                results.append(record)
            title = f"{config.task} on {record['data']['name']}, {config.upsampler}"
            print_metrics(record["measures"], record["metrics"], title, console)


def _check(config: Config) -> None:
    """Raise what is wrong with a configuration before anything is written."""
    config.training.check_batch_size(config.settings.batch_size)
    kind = task_class(config.task)
    about = describe_data(config.task, config.data, config.settings, streamed=True)
    kind.build_model(
        config.upsampler, config.upsampler_options, about, config.settings, config.seed
    )


def _prepare(config: Config, resume: bool, console: Console) -> None:
    """Make mistakes in the data come now; those on disk are read later, image by image."""
    if config.data == "scenes":
        prepare(config.data, {config.task: config.settings}, console)
    elif not resume:  # a large data set takes minutes, which a resumed run has spent before
        check_files(config.data, console)


def _claim(folder: Path, config: Config, resume: bool) -> None:
    """Refuse a folder with another run, and say in it what this one is."""
    held = [name for name in (LAST, RESULTS) if (folder / name).exists()]
    if held and not resume:
        raise ValueError(
            f"`output` (={folder}) holds a run already ({held[0]}): --resume goes on with it, "
            "--output takes another folder"
        )
    sweep(folder)
    with whole_file(folder / CONFIG) as file:
        file.write(config.to_yaml().encode())
