import json
import os
from pathlib import Path

import pytest
import torch
from rich.console import Console

from dysample.bench.entries import BASELINE, ENTRIES, WORKLOADS, Entry, Workload
from dysample.bench.table import print_results
from dysample.bench.timer import measure
from dysample.registry import get_entry

TINY = Workload("tiny", (1, 8, 4, 4), backward=True)


def test_entries_are_names_of_the_registry_with_the_baseline_among_them() -> None:
    assert all(get_entry(entry.upsampler) for entry in ENTRIES)
    assert BASELINE in ENTRIES
    assert all(hasattr(torch, workload.dtype) for workload in WORKLOADS)


def test_measure_gives_a_result_an_entry_and_restores_the_threads() -> None:
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    results = measure(TINY, [BASELINE, Entry("dysample", {"groups": 2})], rounds=3)
    assert [row["entry"] for row in results] == ["bilinear", "dysample groups=2"]
    assert results[0]["ratio_to_bilinear"] == 1
    assert all(row["milliseconds"] > 0 for row in results)
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == (threads, cores)
    json.dumps(results)


@pytest.mark.parametrize("channels_last", [False, True])
def test_forward_alone_needs_no_gradients(channels_last: bool) -> None:
    workload = Workload("tiny", (1, 8, 4, 4), "bfloat16", channels_last)
    assert len(measure(workload, [BASELINE], rounds=1)) == 1


def test_table_fits_80_columns(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        print_results(measure(TINY, [BASELINE], rounds=1), Console(file=file, width=80))
    text = (tmp_path / "out").read_text()
    assert "1x8x4x4 float32 contiguous, forward and backward" in text
    assert "1.00" in text
    assert max(map(len, text.splitlines())) <= 80
