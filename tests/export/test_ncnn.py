"""Files of one size in ncnn, made and run as docs/export/ncnn_rknn.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dysample.export import export_onnx
from dysample.export.check import TOLERANCES
from support.exports import NOT_RUN
from support.ncnn_files import (
    FORMS,
    MODELS,
    convert,
    error,
    label,
    model_and_inputs,
    ncnn_table,
    run,
)

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

PAGE = Path(__file__).parents[2] / "docs" / "export" / "ncnn_rknn.md"
NODES = {
    "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv", "ConvTranspose",
    "DepthToSpace", "Div", "GlobalAveragePool", "GridSample", "InstanceNormalization",
    "LayerNormalization", "LeakyRelu", "MatMul", "MaxPool", "Mul", "Pad", "Relu", "Reshape",
    "Resize", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Sub", "Tanh", "Transpose",
    "Unsqueeze",
}  # fmt: skip
"""What pnnx and ncnn take, and the mean of a whole map beside."""
FEW = ("dysample", "sapa_i")
each_model = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in MODELS]
)
each_form = pytest.mark.parametrize("form", FORMS)


@each_form
@each_model
def test_the_graph_holds_what_ncnn_knows(name: str, form: str, tmp_path: Path) -> None:
    model, inputs = model_and_inputs(name, form)
    path = tmp_path / "model.onnx"
    export_onnx(model, inputs, path, dynamic=(), verify=False)
    for node in onnx.load(path).graph.node:
        whole = node.op_type == "ReduceMean" and name in ("a2u", MODELS[-1])
        assert node.op_type in NODES or whole, node.op_type


@each_form
@each_model
def test_it_gives_the_model_s_numbers(name: str, form: str) -> None:
    pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    import torch

    assert error(name, form) <= TOLERANCES[torch.float32]


def test_gathers_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    model, inputs = model_and_inputs("dysample", "twice the size")
    convert(model, inputs, tmp_path, sampler="gather")
    with pytest.raises(ValueError, match="must hold layers that ncnn knows"):
        run(tmp_path, inputs)


def test_the_table_in_the_docs_has_a_row_for_each() -> None:
    # Its numbers are those of a run, and differ by machine; `make tables` writes them.
    found = re.search(r"<!-- ncnn: .*?-->\n\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    rows = [line.strip("| ").split(" | ") for line in found[1].strip().splitlines()[2:]]
    assert [row[0] for row in rows] == [label(name) for name in MODELS]
    for row in rows:
        assert len(row) == 1 + len(FORMS)
        assert all(float(cell) <= 1e-4 for cell in row[1:])


def test_rows_are_written_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.ncnn_files.error", lambda name, form: 2.5e-7)
    first = ncnn_table(["bilinear"], "")
    assert f"| `carafe` | {NOT_RUN} | {NOT_RUN} |" in first.splitlines()
    second = ncnn_table(["carafe"], first)
    assert "| `bilinear` | 2e-07 | 2e-07 |" in second.splitlines()
    assert "| `carafe` | 2e-07 | 2e-07 |" in second.splitlines()
    assert len(second.splitlines()) == 2 + len(MODELS)
