"""Every upsampler, and models that hold them, as files with the same numbers at other sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dysample.export.check import TOLERANCES
from support.exports import CASES, FORMS, NOT_RUN, export_table, label

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"), [(case.name, form) for case in CASES.values() for form in case.forms]
)
def test_it_gives_the_model_s_numbers(name: str, form: str, tmp_path: Path) -> None:
    if "SegFormer" in name:
        pytest.importorskip("transformers")
    path = tmp_path / "model.onnx"
    runs = CASES[name].export(form, path).comparisons
    sizes = [run.sizes for run in runs if run.runtime.startswith("onnxruntime")]
    assert len(set(sizes)) == 2
    if FORMS[form][1] == "gather":
        assert "GridSample" not in {node.op_type for node in onnx.load(path).graph.node}


def test_the_table_in_the_docs_has_a_row_for_each() -> None:
    # Its numbers are those of a run, and differ by machine; `make tables` writes them.
    found = re.search(r"<!-- exports: .*?-->\n\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    rows = [line.strip("| ").split(" |") for line in found[1].strip().splitlines()[2:]]
    assert [row[0] for row in rows] == [label(case) for case in CASES.values()]
    for row, case in zip(rows, CASES.values()):
        cells = dict(zip(FORMS, [*(cell.strip() for cell in row[1:]), "", ""]))
        assert [form for form, cell in cells.items() if cell] == list(case.forms)
        for form, cell in cells.items():
            if cell not in ("", NOT_RUN):
                assert float(cell) <= TOLERANCES[FORMS[form][0]]


def test_rows_are_written_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.exports.export_row", lambda case: f"| {label(case)} | new |")
    first = export_table(["bilinear"], "")
    assert f"| `carafe` | {NOT_RUN} |  | {NOT_RUN} |" in first.splitlines()
    second = export_table(["carafe"], first.replace("new", "before"))
    assert "| `bilinear` | before |" in second.splitlines()
    assert "| `carafe` | new |" in second.splitlines()
    assert len(second.splitlines()) == 2 + len(CASES)
