"""`dysample show` and `dysample demo` through the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from support.look_runs import bomb


def test_a_picture_of_a_run(run_of: Callable, tmp_path: Path, dysample: Callable) -> None:
    file = tmp_path / "look.png"
    ended = dysample(
        "show", "scene:3", "--checkpoint", run_of("carafe"), "--pixel", "20,31", "-o", file
    )
    assert (ended.code, ended.stdout) == (0, f"wrote {file}\n")
    assert re.fullmatch(r"\S+ \(CARAFE\): kernel entropy [01]\.\d\d\n", ended.stderr)
    with Image.open(file) as picture:
        assert picture.width > 1400
    assert [path.name for path in tmp_path.iterdir()] == ["look.png"]


def test_a_file_for_each_run_of_a_comparison(
    compared: Path, tmp_path: Path, dysample: Callable
) -> None:
    ended = dysample(
        "show", "scene", "--checkpoint", compared, "--upsampler", "dysample,nearest",
        "-o", tmp_path / "a.png",
    )  # fmt: skip
    assert ended.code == 0, ended.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"a-dysample.png", "a-nearest.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scene:x"], "must be a file, or 'scene:NUMBER' for an embedded one"),
        (["bomb.png"], "must have at most 50 million pixels"),
        (["scene", "--pixel", "3"], "--pixel (=3) must be Y,X"),
        (["scene", "-o", "a.jpg"], "--output (=a.jpg) must end in .png"),
        (["scene", "-o", "none/a.png"], "must lie in a folder that exists"),
        (["scene", "--upsampler", "dysampel"], "must be a known upsampler: did you mean dysample"),
        (["scene", "--checkpoint", "none"], "(=none) must be a folder or a file that exists"),
        (["scene", "--checkpoint", "."], "must hold runs of `dysample compare`"),
    ],
)
def test_mistakes_come_before_any_training(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dysample: Callable,
) -> None:
    monkeypatch.setattr(
        "dysample.workbench.look.subject.quick_model", lambda *_: pytest.fail("trained")
    )
    monkeypatch.chdir(tmp_path)
    bomb(tmp_path / "bomb.png", 8000, 8000)
    ended = dysample("show", *arguments)
    assert ended.code == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_a_page_is_for_this_machine_alone_unless_told(
    compared: Path, monkeypatch: pytest.MonkeyPatch, dysample: Callable
) -> None:
    served: list[Any] = []

    @contextmanager
    def serve(models: Any, host: str, port: int | None) -> Iterator[str]:
        served.append((len(models), host, port))
        yield "http://there"

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "dysample.workbench.look.page", SimpleNamespace(serve=serve))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("threading.Event", lambda: SimpleNamespace(wait=interrupted))
    for options, expected in (
        ((), (4, "127.0.0.1", None)),
        (("--host", "0.0.0.0", "--port", "8000"), (4, "0.0.0.0", 8000)),
    ):
        ended = dysample("demo", compared, *options)
        assert ended.code == 130
        assert ended.stdout == "4 models at http://there; Ctrl-C ends it\n"
        assert served.pop() == expected


def test_a_missing_gradio_is_one_line_before_any_training(
    monkeypatch: pytest.MonkeyPatch, dysample: Callable
) -> None:
    monkeypatch.setattr(
        "dysample.workbench.look.models.quick_model", lambda *_: pytest.fail("trained")
    )
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "dysample.workbench.look.page", raising=False)
    ended = dysample("demo")
    assert ended.code == 2
    assert ended.stderr == "dysample: error: no module gradio: pip install 'dysample[demo]'\n"
