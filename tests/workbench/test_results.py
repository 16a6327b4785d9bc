import json
from pathlib import Path

import pytest

from dysample.workbench.results import ResultFile
from support.made_results import made_run
from support.refusals import refused

A, B, C = ({**made_run("depth", "nearest", seed), "run": run} for seed, run in enumerate("abc"))


def test_appends_lines_and_knows_them(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "new" / "results.jsonl")
    assert results.finished() == set()
    results.append(A)
    results.append(B)
    assert results.finished() == {"a", "b"}
    lines = results.path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [A, B]


def test_a_torn_last_line_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first = json.dumps(A).encode() + b"\n"
    path.write_bytes(first + b'{"run": "b", "metr')
    results = ResultFile(path)
    assert results.finished() == {"a"}
    results.append(C)
    assert path.read_bytes() == first + json.dumps(C).encode() + b"\n"
    assert (tmp_path / "results.jsonl.torn").read_bytes() == b'\n{"run": "b", "metr'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3", r"`record` \(=3\) must be an object"),
        ("[{}]", "`run` is missing"),
        ('{"run": 3}', r"`run` \(=3\) must be text"),
        ('{"run": ["a"]}', r"`run` \(=\[...\]\) must be text"),
        ('{"Run": "a"}', "`run` is missing"),
        (json.dumps({**A, "version": 2}), r"`version` \(=2\) must be at most 1: a newer dysample"),
    ],
)
def test_a_line_that_is_no_record_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f"{json.dumps(A)}\n{line}")
    with refused(rf"results\.jsonl` line 2: {message}"):
        ResultFile(path).finished()


def test_a_folder_is_no_result_file(tmp_path: Path) -> None:
    with refused("must be a file of results"):
        ResultFile(tmp_path).finished()


def test_a_number_that_json_lacks_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "results.jsonl")
    with refused("JSON compliant"):
        results.append({"run": "a", "x": float("nan")})
    assert results.finished() == set()
