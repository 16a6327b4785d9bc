"""The package offers its names when they are used; the operators need torch alone, quietly."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import dysample


def python(*command: str) -> tuple[int, str, str]:
    """Exit code and what is printed by another interpreter, where warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", *command], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_everything_loads_torch_and_nothing_heavy_and_prints_nothing() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); from dysample import *;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "heavy = new & {'lightning', 'matplotlib', 'torchmetrics', 'torchvision', 'rich', 'PIL',"
        " 'numpy', 'onnx', 'onnxruntime', 'onnxscript', 'huggingface_hub',"
        " 'safetensors'};"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    assert python(code) == (0, "", "")


def test_every_public_name_loads_the_library_alone() -> None:
    code = (
        "import sys; from dysample import *;"
        "print(*sorted({'.'.join(n.split('.')[:2]) for n in sys.modules if n[:9] == 'dysample.'}))"
    )
    loaded = python(code)[1].split()
    wing = "backends calls checks diagnosis explanation export files fixed functional geometry"
    wing += " layout model_files modes nn numeric ops optim origins papers proxies registry surgery"
    assert loaded == [f"dysample.{part}" for part in wing.split()]


def test_the_library_names_nothing_of_the_workbench() -> None:
    root = Path(dysample.__file__).parent
    found = [
        path.relative_to(root).name
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] not in ("workbench", "cli")
        for line in path.read_text().splitlines()
        if "dysample.workbench" in line
    ]
    assert set(found) == {"hub.py", "look.py"}  # where former names are


def test_former_names_work_and_tell_the_new_ones() -> None:
    pytest.importorskip("lightning")
    pytest.importorskip("matplotlib")
    from dysample import hub

    with pytest.warns(DeprecationWarning, match="look is now dysample.workbench.look"):
        from dysample.look import show
    with pytest.warns(DeprecationWarning, match=r"workbench.training.restore.from_training"):
        from_training = hub.from_training
    assert show is sys.modules["dysample.workbench.look"].show
    assert from_training is sys.modules["dysample.workbench.training.restore"].from_training


def test_the_package_alone_loads_no_torch() -> None:
    code = (
        "import sys, dysample; first = 'torch' in sys.modules;"
        "up = dysample.DySample(8); sys.exit((first, 'torch' in sys.modules) != (False, True))"
    )
    assert python(code) == (0, "", "")


@pytest.mark.parametrize("name", sorted(set(dysample.__all__) - {"__version__"}))
def test_every_name_is_the_one_of_the_part_that_defines_it(name: str) -> None:
    value = getattr(dysample, name)
    assert value is getattr(sys.modules[value.__module__], name)
    assert value.__module__.startswith("dysample.")
    assert name in dir(dysample)


def test_parts_are_attributes_without_an_import_of_their_own() -> None:
    code = (
        "import dysample; dysample.functional.reassemble, dysample.nn.CARAFE;"
        "dysample.hub.from_pretrained, dysample.registry.get_entry('carafe')"
    )
    assert python(code) == (0, "", "")


def test_a_part_does_not_hide_a_name() -> None:
    """Imports bind parts to the package: none may be called as one of its functions is."""
    parts = {path.stem for path in Path(dysample.__file__).parent.iterdir()}
    assert parts & set(dysample.__all__) == set()


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'dysample' has no attribute 'Dysample'$"):
        dysample.Dysample  # noqa: B018
    assert not hasattr(dysample, "_nothing")
    with pytest.raises(ImportError, match="cannot import name 'Carafe'"):
        from dysample import Carafe  # noqa: F401


def test_a_part_whose_library_is_missing_says_which() -> None:
    code = (
        "import sys, dysample; sys.modules['matplotlib'] = None\n"
        "try: from dysample.workbench import look\n"
        "except ModuleNotFoundError as error: sys.exit('matplotlib' not in str(error))\n"
        "sys.exit(2)"
    )
    assert python(code)[0] == 0


def test_a_star_leaves_torch_s_own_names_alone() -> None:
    names: dict[str, object] = {}
    exec("from torch import nn\nfrom torch.nn import functional\nfrom dysample import *", names)
    assert names["nn"] is torch.nn
    assert names["functional"] is torch.nn.functional
    assert inspect.isclass(names["DySample"])
    assert set(dysample.__all__) <= set(names)
    assert {"functional", "nn"} <= set(dir(dysample))


def test_the_operators_are_there_for_programs_that_were_exported(tmp_path: Path) -> None:
    up, x = dysample.CARAFE(4).eval(), torch.randn(1, 4, 3, 5)
    with torch.no_grad(), dysample.backend("auto"):
        torch.export.save(torch.export.export(up, (x,)), tmp_path / "up.pt2")
        torch.save((x, up(x)), tmp_path / "calls.pt")
    code = (
        "import sys, warnings, torch, dysample.ops;"
        # Of torch 2.12 about what it loads itself.
        "warnings.filterwarnings('ignore', 'The given buffer is not writable');"
        f"x, out = torch.load({str(tmp_path / 'calls.pt')!r});"
        f"up = torch.export.load({str(tmp_path / 'up.pt2')!r}).module();"
        "assert torch.allclose(up(x), out, atol=1e-6);"
        "sys.exit(any(name.startswith('dysample.nn') for name in sys.modules))"
    )
    assert python(code) == (0, "", "")
