"""The same climate for every test: a fixed seed, profiles of the property tests, backends."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, settings

import dysample
from support import interpreter
from support.tolerances import BACKENDS

# The fixture `backend` lasts for all examples of a test, as it should.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("short", max_examples=25, derandomize=True, **COMMON)
settings.register_profile("sanitize", max_examples=150, derandomize=True, **COMMON)
settings.register_profile("long", max_examples=2000, **COMMON)
settings.load_profile(os.environ.get("DYSAMPLE_HYPOTHESIS", "short"))

if interpreter.missing is None:
    interpreter.apply()

# Tiny tensors: threads would only wait for each other, long where the cores are busy.
torch.set_num_threads(1)

# A shell that runs this in the background, and nohup, let signals be ignored, and what tests start
# inherits that.
with suppress(ValueError):  # not in the main thread
    for signum, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, handler)


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


# Interpreted kernels take a thousand times as long: the tests of `backends/gpu` are the quick ones.
TRITON = pytest.param(
    "triton",
    marks=[
        pytest.mark.slow,
        pytest.mark.skipif(
            interpreter.missing is not None, reason=f"nothing to interpret: {interpreter.missing}"
        ),
    ],
)


@pytest.fixture(params=[*BACKENDS, TRITON])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every backend that this machine can run, one after the other, forced while the test runs."""
    with dysample.backend(request.param):
        yield request.param


@pytest.fixture(params=["auto", TRITON])
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """The fused kernels that this machine can run, one after the other, while the test runs."""
    with dysample.backend(request.param):
        yield request.param


class Ended(NamedTuple):
    code: int
    stdout: str
    stderr: str

    def check_mistake(self, message: str) -> None:
        """A mistake of the user is one line that holds this text."""
        assert (self.code, self.stdout) == (2, "")
        assert self.stderr.startswith("dysample: error: ")
        assert self.stderr.count("\n") == 1
        assert message in self.stderr


@pytest.fixture(name="dysample")
def _command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """The command line in this process: a new one spends seconds on imports."""

    from dysample.cli import main

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr("sys.argv", ["dysample", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return Ended(stopped.value.code or 0, *capsys.readouterr())

    return run
