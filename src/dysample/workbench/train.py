"""One training in a folder of its own: begun, or gone on with, and recorded."""

from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console

from dysample.files import whole_file
from dysample.workbench.checkpoints import LAST
from dysample.workbench.config import CONFIG, Config, load_config
from dysample.workbench.folders import alone_in, undone
from dysample.workbench.headline import print_metrics
from dysample.workbench.prepare import check_files, prepare
from dysample.workbench.progress import Bars
from dysample.workbench.results import RESULTS, ResultFile
from dysample.workbench.resume import check_folder
from dysample.workbench.run import build, identify, run_task
from dysample.workbench.trainer import is_first_process

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
    run = _check(config)
    folder = config.output
    first = is_first_process()
    with ExitStack() as stack:
        if first:
            stack.enter_context(alone_in(folder, PATIENCE))
            check_folder(folder, config, run, resume)
            _prepare(config, resume, console)
            stack.enter_context(undone(folder, [CONFIG], kept=LAST))
            _claim(folder, config)
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
            if record.run not in results.finished():
                results.append(record.to_line())
            title = f"{config.task} on {record.data['name']}, {config.upsampler}"
            print_metrics(record.measures, record.metrics, title, console)


def _check(config: Config) -> str:
    """The run's id; raise what is wrong with a configuration before anything is written."""
    run, about = identify(
        config.task,
        config.upsampler,
        config.upsampler_options,
        config.seed,
        config.data,
        config.settings,
        config.training,
        streamed=True,
    )
    build(
        config.task,
        config.upsampler,
        config.upsampler_options,
        about,
        config.settings,
        config.seed,
    )
    return run


def _prepare(config: Config, resume: bool, console: Console) -> None:
    """Make mistakes in the data come now; those on disk are read later, image by image."""
    if config.data == "scenes":
        prepare(config.data, {config.task: config.settings}, console)
    elif not resume:  # a large data set takes minutes, which a resumed run has spent before
        check_files(config.data, console)


def _claim(folder: Path, config: Config) -> None:
    """Say in the folder which run it holds."""
    path = folder / CONFIG
    with suppress(ValueError, TypeError, OSError):  # such as that there is none yet
        if load_config(path) == config:
            return
    with whole_file(path) as file:
        file.write(config.to_yaml().encode())
