"""Programs of torch.export in a process that has torch alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

import dysample
from dysample.backends.cpu import library
from support.upsamplers import NAMES, features, guide_for, lively

ALONE = """
import sys
sys.modules["dysample"] = None  # not to be imported
import torch
program = torch.export.load(sys.argv[1]).module()
for given, wanted in torch.load(sys.argv[2]):
    with torch.no_grad():
        torch.testing.assert_close(program(*given), wanted, rtol=1e-9, atol=1e-9)
    print("equal")
"""


def with_guide(up: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    guide = guide_for(up, x)
    return (x,) if guide is None else (x, guide)


def saved(name: str, backend: str, folder: Path) -> list[Path]:
    """A program, and what the model gives for inputs of other sizes."""
    up = lively(name)
    args = with_guide(up, features())
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with dysample.backend(backend):
        program = torch.export.export(up, args, dynamic_shapes=tuple(sizes for _ in args))
    files = [folder / "up.pt2", folder / "wanted.pt"]
    torch.export.save(program, files[0])
    others = [with_guide(up, features(*size)) for size in ((1, 4, 9), (3, 8, 6))]
    with torch.no_grad():
        torch.save([(other, up(*other)) for other in others], files[1])
    return files


def loaded_alone(files: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ALONE, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("dysample", "gather"),
        ("carafe", "grid_sample"),
        *(
            pytest.param(name, backend, marks=pytest.mark.slow)
            for name in NAMES
            for backend in ("grid_sample", "gather")
            if (name, backend) not in (("dysample", "gather"), ("carafe", "grid_sample"))
        ),
    ],
)
def test_it_gives_the_model_s_numbers(name: str, backend: str, tmp_path: Path) -> None:
    done = loaded_alone(saved(name, backend, tmp_path))
    assert done.stdout.split() == ["equal", "equal"], done.stderr


@pytest.mark.skipif(library.missing is not None, reason="plain torch is of torch alone")
def test_our_own_operators_need_the_package(tmp_path: Path) -> None:
    # The words of docs/export.md.
    done = loaded_alone(saved("dysample", "auto", tmp_path))
    assert done.stdout == ""
    assert "We failed to resolve torch.ops.dysample." in done.stderr
    assert "Please import the custom op to register it before deserializing" in done.stderr
    assert "RuntimeError: We ran into an error when deserializing the saved file" in done.stderr
