"""Files in which there is a model, or something else, which is named."""

from __future__ import annotations

import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from dysample.model_files import module_in, read_file, write_file
from support.refusals import refused


def model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1))


def loaded(content: object, path: Path) -> nn.Module:
    torch.save(content, path)
    return module_in(read_file(path, trust=True), path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_a_full_disk_is_an_error_of_the_system_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    write_file({"a": torch.ones(3)}, path)
    code = (
        "import resource, signal, sys, torch; from pathlib import Path;"
        "from dysample.model_files import write_file;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999));"
        "write_file(torch.ones(9999), Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == f"OSError: [Errno 27] File too large: '{path}'"
    assert read_file(path)["a"].tolist() == [1, 1, 1]
    assert [left.name for left in tmp_path.iterdir()] == ["model.pt"]


def test_a_module_is_read_only_if_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    assert isinstance(loaded(model(), path), nn.Sequential)
    with refused(r"model\.pt\) must be trusted: .* say --trust if"):
        read_file(path)


def test_a_checkpoint_holds_its_model_under_ema_or_model(tmp_path: Path) -> None:
    # As ultralytics saves: the model is in half precision, and None once training is over.
    path, state = tmp_path / "best.pt", {"epoch": -1, "train_args": {"imgsz": 640}, "updates": 9}
    one, two = model().half(), model()
    assert (
        next(loaded({**state, "model": None, "ema": one}, path).parameters()).dtype
        == one[0].weight.dtype
    )
    assert torch.equal(loaded({**state, "model": one, "ema": two}, path)[0].weight, two[0].weight)
    assert torch.equal(loaded({**state, "model": one}, path)[0].weight, one[0].weight)
    assert torch.equal(loaded({**state, "net": two}, path)[0].weight, two[0].weight)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            model().state_dict(),
            r"weights alone \(4 tensors, 0.weight first\): build the model in a",
        ),
        (
            {"state_dict": model().state_dict(), "epoch": 3},
            "weights alone, under state_dict: build",
        ),
        ({"model": None, "epoch": 3}, "a dict of model, epoch$"),
        ({}, "a dict of nothing$"),
        ([1, 2], "a list$"),
        (torch.ones(3), "a Tensor$"),
    ],
)
def test_what_else_a_file_holds(content: object, found: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save(content, path)
    # Nothing of it runs code: no trust is needed to say what it is.
    with refused(rf"file\.pt\) must hold one torch.nn.Module; it holds {found}", TypeError):
        module_in(read_file(path), path)


def test_several_models(tmp_path: Path) -> None:
    with refused(r"it holds models under g, d$", TypeError):
        loaded({"g": model(), "d": model()}, tmp_path / "gan.pt")


def torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the deprecation
        torch.jit.save(torch.jit.trace(model().eval(), torch.ones(1, 3, 4, 4)), path)


def program(path: Path) -> None:
    torch.export.save(torch.export.export(model().eval(), (torch.ones(1, 3, 4, 4),)), path)


def safetensors(path: Path) -> None:
    pytest.importorskip("safetensors.torch").save_file(model().state_dict(), path)


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", "numbers")


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (torchscript, "a TorchScript program, whose forward is compiled: build the model in a fun"),
        (program, "a program of torch.export, a graph without modules: build the model"),
        (safetensors, "one of safetensors, weights alone: build the model"),
        (other_zip, "a zip archive of something else"),
    ],
)
def test_files_of_another_kind(write, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write(path)
    for trust in (False, True):
        with refused(rf"must be a file of torch\.save: it is {kind}", TypeError):
            read_file(path, trust=trust)


def test_a_pickle_of_a_package_that_is_not_there(tmp_path: Path) -> None:
    # Made by another process, in which the package is there.
    code = (
        "import sys, types, torch\n"
        "for name in ('ultraanalytics', 'ultraanalytics.nn'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "class Net(torch.nn.Module): pass\n"
        "Net.__module__, sys.modules['ultraanalytics.nn'].Net = 'ultraanalytics.nn', Net\n"
        "torch.save({'model': Net()}, sys.argv[1])\n"
        "class Gone(torch.nn.Module): pass\n"
        "Gone.__module__, torch.nn.Gone = 'torch.nn', Gone\n"
        "torch.save(Gone(), sys.argv[2])\n"
        "sys.modules['torch.gone'] = types.ModuleType('torch.gone')\n"
        "Gone.__module__, sys.modules['torch.gone'].Gone = 'torch.gone', Gone\n"
        "torch.save(Gone(), sys.argv[3])\n"
    )
    paths = [tmp_path / name for name in ("best.pt", "renamed.pt", "moved.pt")]
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True)
    for path, match in zip(
        paths,
        (
            r"best\.pt\) needs the package ultraanalytics, which is not installed$",
            r"renamed\.pt\) cannot be loaded: AttributeError: .*Gone",
            r"moved\.pt\) needs torch\.gone, which the installed torch does not have$",
        ),
    ):
        with refused(match):
            read_file(path, trust=True)


@pytest.mark.parametrize("size", [0, 1, 60, 900])
def test_a_file_that_was_cut_off(size: int, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(model(), path)
    path.write_bytes(path.read_bytes()[:size])
    with refused(r"model\.pt\) cannot be loaded: \w+"):
        read_file(path, trust=True)


class _Stops:
    def __reduce__(self) -> tuple:
        return sys.exit, (3,)


def test_a_pickle_that_stops_the_process(tmp_path: Path) -> None:
    torch.save(_Stops(), tmp_path / "model.pt")
    with refused(r"cannot be loaded: SystemExit: 3$"):
        read_file(tmp_path / "model.pt", trust=True)
