"""ONNX files: written if they give the model's numbers at other sizes, or not at all."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dysample
from dysample.backends import samplers
from dysample.export import Export, ExportError, arguments, export_onnx
from support.upsamplers import C, features, lively

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def exported(name: str, path: Path, **options) -> Export:
    return export_onnx(lively(name).float(), features().float(), path, **options)


def nodes_of(path: Path) -> list:
    return list(onnx.load(path).graph.node)


def test_dysample_by_grid_sample(tmp_path: Path) -> None:
    path = tmp_path / "up.onnx"
    done = exported("dysample", path)
    assert (done.path, done.opset, done.sampler) == (path, 18, "grid_sample")
    sizes = [run.sizes for run in done.comparisons if run.runtime.startswith("onnxruntime")]
    assert sizes == [((1, C, 6, 9),), ((3, C, 8, 8),)]
    (sampling,) = [node for node in nodes_of(path) if node.op_type == "GridSample"]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in sampling.attribute}
    assert attributes["padding_mode"] == b"zeros"  # clamped positions need no border
    model = onnx.load(path)
    assert [value.name for value in model.graph.input] == ["x"]
    assert [value.name for value in model.graph.output] == ["output"]
    assert [item.version for item in model.opset_import if item.domain == ""] == [18]


def test_dysample_by_gathers_from_opset_20_on(tmp_path: Path) -> None:
    path = tmp_path / "up.onnx"
    assert exported("dysample_s_plus", path, opset=20).sampler == "gather"
    kinds = {node.op_type for node in nodes_of(path)}
    assert "Gather" in kinds
    assert "GridSample" not in kinds


def test_a_graph_that_differs_leaves_no_file(tmp_path: Path, monkeypatch) -> None:
    def shifted(p_x: Tensor, p_y: Tensor, low: tuple[int, int], *, border: bool) -> samplers.Read:
        return samplers.grid_sample(p_x + 0.5, p_y, low, border=border)

    monkeypatch.setitem(samplers.SAMPLERS, "grid_sample", shifted)
    path = tmp_path / "up.onnx"
    path.write_bytes(b"what was there")
    with pytest.raises(ExportError, match=r"^onnxruntime .* `output` differs from .* more than"):
        exported("dysample", path)
    assert [file.name for file in tmp_path.iterdir()] == ["up.onnx"]
    assert path.read_bytes() == b"what was there"
    assert exported("dysample", path, verify=False).comparisons == ()


def test_sizes_of_ones_own(tmp_path: Path) -> None:
    up, x = lively("dysample").float(), features().float()
    done = export_onnx(up, x, tmp_path / "up.onnx", dynamic=("batch",), verify=[x[:1]])
    assert {run.sizes for run in done.comparisons} == {((1, C, 5, 7),)}


def test_a_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))
    model[2].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export_onnx(model, torch.randn(2, 3, 4, 4), tmp_path / "model.onnx")
    assert [module.training for module in model] == [True, True, False]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


class _Fixed(nn.Module):
    """Right at 4 rows alone, and says so."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] != 4:
            raise RuntimeError("four rows only")
        return x + 1


def test_a_model_that_fixes_its_size(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^_Fixed cannot be exported with `dynamic` \(=\('batch"):
        export_onnx(_Fixed(), torch.randn(2, 3, 4, 4), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


TRACED = {"opset": 17, "verify": False}
VERIFIED = {"opset": 17, "verify": [torch.ones(1, C, 5, 9)]}


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (ValueError, r"^`opset` \(=10\) must be at least 11", {"opset": 10}),
        (TypeError, r"^`opset` \(='18'\) must be an integer", {"opset": "18"}),
        (ValueError, r"^`opset` \(=999\) must be at most \d+, the newest that", {"opset": 999}),
        (
            ValueError,
            r"^`sampler` \(='grid_sample'\) must be 'gather' at `opset` \(=15\): .* opset 16 on",
            {"opset": 15, "sampler": "grid_sample"},
        ),
        (ValueError, r"^`dynamic` .* must hold each axis once", {"dynamic": ("width", "width")}),
        (ValueError, r"^`verify` \(=\[\]\) must hold arguments", {"verify": []}),
        (TypeError, r"^`verify` must be True, False or a list", {"verify": torch.ones(2)}),
        (TypeError, r"^`verify` must be True, False or a list", {"verify": None}),
        (ValueError, r"^`verify` \(=False\) must be True or .* at `opset` \(=17\)", TRACED),
        (ValueError, r"^`verify` must hold arguments of another height than 5", VERIFIED),
        (ValueError, r"^`rtol` \(=0\) must be finite and above 0", {"rtol": 0}),
        (ValueError, r"^`rtol` \(=1\) must be below 1", {"rtol": 1}),
        (TypeError, r"^`rtol` \(='1e-3'\) must be a number", {"rtol": "1e-3"}),
        (TypeError, r"^`input_names` \(='x'\) must be a list", {"input_names": "x"}),
        (TypeError, r"^`input_names` .* not empty", {"input_names": [""]}),
        (ValueError, r"^`input_names` .* must hold 1 names", {"input_names": ["a", "b"]}),
        (ValueError, r"^`output_names` .* must hold 1 names", {"output_names": []}),
        (ValueError, r"^`output_names` .* not be those of inputs", {"output_names": ["x"]}),
        (
            ValueError,
            r"^`args` must be what .* at 2x3x4x4 it raises",
            {"args": torch.ones(2, 3, 4, 4)},
        ),
        (IsADirectoryError, r"^`path` must be a file, not a folder", {"path": Path()}),
        (ValueError, r"^`sampler` \(='texture'\) must be one of 'auto'", {"sampler": "texture"}),
        (ValueError, r"^`dynamic` .* must hold only batch, height, width", {"dynamic": ("time",)}),
        (TypeError, r"^`dynamic` \(='batch'\) must be a collection", {"dynamic": "batch"}),
        (
            ValueError,
            r"^`args` height \(=1\) must be at least 2",
            {"args": torch.zeros(2, C, 1, 7)},
        ),
        (TypeError, r"^`args` must be a tensor or a tuple, not list", {"args": []}),
        (FileNotFoundError, r"^`path` must lie in a folder", {"path": Path("no/such/up.onnx")}),
    ],
)
def test_mistakes_are_named(error: type[Exception], match: str, options, tmp_path: Path) -> None:
    arguments = {"args": features().float(), "path": tmp_path / "up.onnx", **options}
    with pytest.raises(error, match=match) as raised:
        export_onnx(lively("dysample").float(), **arguments)
    assert "\n" not in str(raised.value)


def test_models_of_another_kind(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the deprecation
        traced = torch.jit.trace(nn.Identity(), torch.ones(1))
    for model, match in (
        (lambda x: x, r"^`model` must be a torch.nn.Module, not function"),
        (torch.compile(nn.Identity()), r"^`model` must be the module that torch.compile was"),
        (traced, r"^`model` must .* this TorchScript"),
    ):
        with pytest.raises(TypeError, match=match):
            export_onnx(model, torch.ones(2, 3, 4, 4), tmp_path / "model.onnx")


def test_the_file_s_opset_is_the_one_asked_for(tmp_path: Path, monkeypatch) -> None:
    export = torch.onnx.export
    monkeypatch.setattr(
        torch.onnx, "export", lambda *args, opset_version, **rest: export(*args, **rest)
    )
    with pytest.raises(
        ExportError, match=r"^Identity cannot .* `opset` \(=19\): the .* opset 2\d,"
    ):
        export_onnx(nn.Identity(), torch.ones(2, 3, 4, 4), tmp_path / "model.onnx", opset=19)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opset", [13, 18])
def test_names_of_one_s_own(opset: int, tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, maps: dict[str, Tensor], factor: int) -> tuple[Tensor, list[Tensor]]:
            return maps["a"] * factor, [maps["b"]]

    x, path = torch.randn(2, 3, 4, 4), tmp_path / "model.onnx"
    names = {"input_names": ["first", "second"], "output_names": ["scaled", "same"]}
    export_onnx(Two(), ({"a": x, "b": x}, 3), path, opset=opset, **names)
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == names["input_names"]
    assert [value.name for value in graph.output] == names["output_names"]


def test_a_tolerance_of_one_s_own(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 1))
    x, path = torch.randn(2, 3, 4, 4), tmp_path / "model.onnx"
    match = r"more than 1e-12; the model's own float32 differs from float64 by .* and `rtol` may"
    with pytest.raises(ExportError, match=match):
        export_onnx(model, x, path, rtol=1e-12)
    assert export_onnx(model, x, path, rtol=1e-3).comparisons


def test_a_missing_library_is_named_before_the_work(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModuleNotFoundError, match=r"^no module onnxruntime: pip install 'dysam"):
        export_onnx(lively("dysample").float(), features().float(), tmp_path / "up.onnx")


def test_more_than_one_file_holds(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(arguments, "_LARGEST", 100)
    with pytest.raises(ValueError, match=r"^`model` \(=\d+ bytes\) must be at most 100, ONNX's"):
        exported("dysample", tmp_path / "up.onnx")


def test_operators_that_no_runtime_knows(tmp_path: Path, monkeypatch) -> None:
    export = torch.onnx.export

    def of_elsewhere(*args, **options):
        program = export(*args, **options)
        next(iter(program.model.graph)).domain = "elsewhere"
        return program

    monkeypatch.setattr(torch.onnx, "export", of_elsewhere)
    with pytest.raises(ExportError, match=r"^Identity holds operators that .*, of elsewhere$"):
        export_onnx(nn.Identity(), torch.randn(2, 3, 4, 4), tmp_path / "model.onnx", verify=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_guide_of_any_size(tmp_path: Path) -> None:
    # 9 rows are neither twice 5 nor bound to them: the graph must not learn a ratio.
    up, x = lively("carafe").float(), features().float()
    guide = torch.randn(2, 3, 9, 13)
    other = (torch.randn(1, C, 4, 6), torch.randn(1, 3, 8, 12))
    further = (torch.randn(1, C, 4, 6), torch.randn(1, 3, 11, 7))
    done = export_onnx(up, (x, guide), tmp_path / "up.onnx", verify=[other, further])
    sizes = {run.sizes for run in done.comparisons}
    assert sizes == {tuple(tuple(t.shape) for t in args) for args in (other, further)}


def test_a_call_of_torch_alone_gets_the_graph(tmp_path: Path) -> None:
    # torch.onnx.export knows nothing of us: kernels would be foreign operators in its file.
    up, x = lively("dysample").float(), features().float()
    path = tmp_path / "up.onnx"
    with dysample.ops.recorded() as choices:
        torch.onnx.export(up, (x,), path, dynamo=True, verbose=False)
    assert {choice.backend for choice in choices} == {"grid_sample"}
    assert {node.domain for node in nodes_of(path)} == {""}
