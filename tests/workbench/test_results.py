import json
from pathlib import Path

import pytest

from dysample.workbench.results import ResultFile


def test_appends_lines_and_knows_them(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "new" / "results.jsonl")
    assert results.finished() == set()
    results.append({"run": "a", "x": 1})
    results.append({"run": "b"})
    assert results.finished() == {"a", "b"}
    lines = results.path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"run": "a", "x": 1}, {"run": "b"}]


def test_a_torn_last_line_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"run": "a"}\n{"run": "b", "metr')
    results = ResultFile(path)
    assert results.finished() == {"a"}
    results.append({"run": "c"})
    assert path.read_bytes() == b'{"run": "a"}\n{"run": "c"}\n'
    assert (tmp_path / "results.jsonl.torn").read_bytes() == b'\n{"run": "b", "metr'


@pytest.mark.parametrize("line", ["3", "[{}]", '{"run": 3}', '{"run": ["a"]}', '{"Run": "a"}'])
def test_a_line_that_is_no_record_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f'{{"run": "a"}}\n{line}')
    with pytest.raises(ValueError, match=r"results\.jsonl line 2 must be a run's record"):
        ResultFile(path).finished()


def test_a_folder_is_no_result_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a file of results"):
        ResultFile(tmp_path).finished()


def test_a_number_that_json_lacks_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "results.jsonl")
    with pytest.raises(ValueError, match="JSON compliant"):
        results.append({"run": "a", "x": float("nan")})
    assert results.finished() == set()
