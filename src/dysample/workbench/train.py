"""Train one model in its own folder, or resume it, and record the result."""

from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console

from dysample.files import whole_file
from dysample.workbench.checkpoints import LAST
from dysample.workbench.config import CONFIG, Config, load_config
from dysample.workbench.folders import alone_in, undone
from dysample.workbench.headline import print_metrics
from dysample.workbench.prepare import prepare
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
        resume: continue the run in the output folder, if there is one.
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
            if config.data == "scenes" or not resume:
                # A large data set takes minutes, and the first attempt has checked it.
                prepare(config.data, {config.task: config.settings}, console)
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
        )
        if first:
            results = ResultFile(folder / RESULTS)
            if record.run not in results.finished():
                results.append(record.to_line())
            title = f"{config.task} on {record.data['name']}, {config.upsampler}"
            print_metrics(record.measures, record.metrics, title, console)


def _check(config: Config) -> str:
    """Check a configuration before anything is written, and return the run's id."""
    run, about = identify(
        config.task,
        config.upsampler,
        config.upsampler_options,
        config.seed,
        config.data,
        config.settings,
        config.training,
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


def _claim(folder: Path, config: Config) -> None:
    """Write the configuration into the folder."""
    path = folder / CONFIG
    with suppress(ValueError, TypeError, OSError):  # such as that there is no file yet
        if load_config(path) == config:
            return
    with whole_file(path) as file:
        file.write(config.to_yaml().encode())
