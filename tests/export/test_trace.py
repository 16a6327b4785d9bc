"""Files below opset 18: from a trace, right at other sizes or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.export import ExportError, export_onnx
from support.exports import UPSAMPLERS, opset_row, upsampler
from support.upsamplers import C, features, guide_for, lively

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.mark.parametrize(
    ("name", "opset", "sampler"),
    [("carafe", 11, "gather"), ("dysample", 13, "gather"), ("dysample", 17, "grid_sample")],
)
def test_upsamplers_at_older_opsets(name: str, opset: int, sampler: str, tmp_path: Path) -> None:
    up, x, path = lively(name).float(), features().float(), tmp_path / "up.onnx"
    done = export_onnx(up, x, path, opset=opset)
    assert (done.opset, done.sampler) == (opset, sampler)
    sizes = [run.sizes for run in done.comparisons if run.runtime.startswith("onnxruntime")]
    assert sizes == [((1, C, 6, 9),), ((3, C, 8, 8),)]
    model = onnx.load(path)
    assert [item.version for item in model.opset_import] == [opset]
    assert ("GridSample" in {node.op_type for node in model.graph.node}) == (opset == 17)
    assert [value.name for value in model.graph.input] == ["x"]
    weights = {item.name for item in model.graph.initializer}
    assert {name for name, _ in up.named_parameters()} <= weights
    onnx.checker.check_model(model, full_check=True)


def test_lengths_that_differ_have_names_that_differ(tmp_path: Path) -> None:
    # The exporter gives height and width of this one a single name.
    up, path = lively("deconv").float(), tmp_path / "up.onnx"
    export_onnx(up, features().float(), path, opset=13)
    shape = onnx.load(path).graph.output[0].type.tensor_type.shape
    lengths = [length.dim_param or length.dim_value for length in shape.dim]
    assert lengths == ["output_0", C, "output_2", "output_3"]


def test_the_model_stays_in_eval_mode_while_it_is_compared(tmp_path: Path) -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5)).train()
    export_onnx(model, torch.randn(2, 3, 4, 4), tmp_path / "model.onnx", opset=13)
    assert model.training
    assert int(model[0].num_batches_tracked) == 0


class _Mean(nn.Module):
    """Divides by a number of pixels that no tracer sees."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3), keepdim=True) / float(x.shape[2] * x.shape[3])


class _Positive(nn.Module):
    """A branch that hangs on the values, of which a trace keeps one."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class _Moved(nn.Module):
    """An axis counted from the end, which the exporter writes down as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.movedim(1, -1), (3,)).movedim(-1, 1)


@pytest.mark.parametrize("opset", [13, 18])
def test_a_size_that_became_a_constant(opset: int, tmp_path: Path) -> None:
    x, path = torch.randn(2, 3, 4, 6), tmp_path / "model.onnx"
    with pytest.raises(
        ExportError,
        match=r"the graph computes something else; at 2x3x4x6 they agree: the graph holds height,"
        r" width as a constant, to be left out of `dynamic` \(=\('batch', 'height', 'width'\)\)",
    ):
        export_onnx(_Mean(), x, path, opset=opset)
    assert not path.exists()
    assert export_onnx(_Mean(), x, path, opset=opset, dynamic=("batch",)).comparisons


def test_a_branch_that_hangs_on_values(tmp_path: Path, capfd) -> None:
    with pytest.raises(ExportError, match=r"^_Positive cannot be .* data-dependent expression"):
        export_onnx(_Positive(), torch.ones(2, 3, 4, 6), tmp_path / "model.onnx", opset=13)
    assert tuple(capfd.readouterr()) == ("", "")


def test_axes_counted_from_the_end(tmp_path: Path) -> None:
    done = export_onnx(_Moved(), torch.randn(2, 3, 4, 6), tmp_path / "model.onnx", opset=13)
    assert done.comparisons  # it ran beside the model, at other sizes too


def test_what_a_runtime_does_not_take_is_refused(tmp_path: Path) -> None:
    # Clip takes whole numbers from opset 12 on.
    model = type("Clipped", (nn.Module,), {"forward": lambda _, x: x.long().clamp(max=3)})()
    x, path = torch.randn(2, 3, 4, 6), tmp_path / "model.onnx"
    with pytest.raises(ExportError, match=r"cannot load .* `opset` \(=11\) may have to be higher$"):
        export_onnx(model, x, path, opset=11)
    assert export_onnx(model, x, path, opset=12).comparisons


@pytest.mark.slow
@pytest.mark.parametrize("name", ["carafe", "dysample", "sapa_b"])
def test_a_guide_of_any_size(name: str, tmp_path: Path) -> None:
    up, x = lively(name).float(), features().float()
    size = (9, 13)
    guide = torch.randn(2, 3, *size) if not up.guided else guide_for(up, x, size)
    others = [
        (torch.randn(1, C, 4, 6), guide.new_ones(1, guide.shape[1], *other).normal_())
        for other in ((8, 12), (11, 7))
    ]
    path = tmp_path / "up.onnx"
    assert export_onnx(up, (x, guide), path, opset=13, verify=others).comparisons


@pytest.mark.slow
@pytest.mark.parametrize("name", UPSAMPLERS)
def test_the_table_of_opsets_in_the_docs(name: str, tmp_path: Path) -> None:
    assert opset_row(name, tmp_path) in PAGE.read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("name", UPSAMPLERS)
def test_float16(name: str, tmp_path: Path) -> None:
    up, args = upsampler(name)
    args = tuple(x.half() for x in args)
    assert export_onnx(up.half(), args, tmp_path / "up.onnx", opset=13).comparisons
