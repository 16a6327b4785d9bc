import io

from rich.console import Console

from dysample.workbench.bench.table import by_workload, markdown, print_legend, print_workload
from support.bench_rows import bench_row


def printed(function, rows, width=80):
    console = Console(file=io.StringIO(), width=width)
    function(rows, console)
    return console.file.getvalue()


LONGEST = {
    "suite": "upsamplers",
    "workload": "upsamplers-channels_last",
    "channels_last": True,
    "first": "bilinear",
}
SWEEP = [
    bench_row(suite="sweep", workload=f"sweep-{side}", shape=[1, 32, side, side],
              written_bytes=512 * side**2, nanoseconds_an_element=ns)
    for side, ns in ((32, 9.0), (128, 2.0), (512, 2.5))
]  # fmt: skip


def test_a_workload_fits_80_columns() -> None:
    rows = [
        bench_row(**LONGEST, row="dysample_s_plus", milliseconds=12345.6, ratio=123.45),
        bench_row(**LONGEST, row="memory floor", error=None, resident_bytes=None),
    ]
    text = printed(print_workload, rows)
    heading = "upsamplers-channels_last: 1x256x120x120 float32 channels_last, forward"
    assert text.splitlines()[:2] == [heading, "results 56.2 MiB, warm malloc"]
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for cell in ("dysample_s_plus", "12346", "123.45", "58.2", "2e-07", "cpu avx512"):
        assert cell in text


def test_targets_stand_beside_ratios_and_without_them_times_an_element() -> None:
    rival = bench_row(row="published", ratio=5.125, target=4.5)
    text = printed(print_workload, [bench_row(), rival])
    line = next(line for line in text.splitlines() if line.startswith("published"))
    assert line.split()[2:4] == ["5.12", "4.5"]
    assert "ns/element" not in text
    assert "ns/element" in printed(print_workload, SWEEP[:1])


def test_the_sweep_s_flatness_leaves_small_outputs_out() -> None:
    text = " ".join(printed(print_legend, SWEEP).split())
    assert "sweep, warm malloc: 2.000 to 2.500 ns an element" in text
    assert "25% apart (target: 25 %)" in text
    assert "sweep" not in printed(print_legend, [bench_row()])


def test_rows_of_a_workload_are_put_together() -> None:
    rows = [bench_row(), bench_row(workload="W2"), bench_row(row="published"),
            bench_row(isa="avx2")]  # fmt: skip
    assert list(by_workload(rows)) == [[rows[0], rows[2]], [rows[1]], [rows[3]]]


def test_markdown_is_a_table_a_regime() -> None:
    rows = [bench_row(), bench_row(row="published", target=4.5), bench_row(malloc="default")]
    tables = [block for block in markdown(rows).split("\n\n") if block.startswith("|")]
    assert [table.count("\n") for table in tables] == [2, 3]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "| W1: 1x256x120x120 float32, forward | dysample | 4.20 | 1.00 |" in tables[0]
    assert "|  | published | 4.20 | 1.00 | 4.5 |" in tables[1]
    assert "A CPU, 1 thread on one core" in markdown(rows)
