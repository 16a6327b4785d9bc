import pytest

from dysample.workbench.bench.results import append, read
from support.bench_rows import bench_row


def test_the_last_of_equal_rows_counts_and_the_rest_keep_their_order(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, [bench_row(), bench_row(row="published", ratio=5.0)])
    append(path, [bench_row(malloc="default")])
    append(path, [bench_row(row="published", ratio=4.0)])
    rows = read(path)
    assert [(row["row"], row["malloc"], row["ratio"]) for row in rows] == [
        ("dysample", "warm", 1.0),
        ("published", "warm", 4.0),
        ("dysample", "default", 1.0),
    ]


def test_rows_are_chosen_as_they_are_for_measuring(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        bench_row(),
        bench_row(row="published", malloc="default"),
        bench_row(suite="sweep", workload="sweep-32"),
    ]
    append(path, rows)
    assert read(path, suite="sweep") == rows[2:]
    assert read(path, only="W?") == rows[:2]
    assert read(path, only="W1/pub*") == rows[1:2]
    assert read(path, only="W1", warm=True) == rows[:1]
    with pytest.raises(ValueError, match=r"must hold rows of suite 'small' that match '\*'"):
        read(path, suite="small")


@pytest.mark.parametrize("line", ["{", "[1]", "{}", '"text"'])
def test_a_line_that_is_no_row_is_named(line, tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, [bench_row()])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl`? line 2(:| must be a row of the bench)"):
        read(path)
