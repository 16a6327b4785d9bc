import pickle

import torch

from dysample.registry import list_upsamplers
from dysample.workbench.bench.workloads import SUITES, WORKLOADS, select
from support.refusals import refused

NAMES = [workload.name for workload in WORKLOADS]


def test_names_are_unique_and_targets_are_of_rows() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for workload in WORKLOADS:
        rows = [entry.name for entry in workload.entries]
        assert len(set(rows)) == len(rows)
        assert set(workload.targets) <= set(rows[1:])
        assert isinstance(getattr(torch, workload.dtype), torch.dtype)
        pickle.dumps(workload)  # its memory is measured in another process


def test_every_upsampler_is_there_but_the_design_steps_and_bilinear_comes_first() -> None:
    (everything,) = select("all", "upsamplers")
    rows = [entry.name for entry in everything.entries]
    assert rows[0] == "bilinear"
    assert set(rows) == {n for n in list_upsamplers() if not n.startswith("dysample_step_")}


def test_the_suites_make_up_all() -> None:
    parts = [w for suite in SUITES[1:] for w in select(suite, "*")]
    assert parts == select("all", "*") == list(WORKLOADS)


def test_a_row_keeps_the_first_one_beside_it() -> None:
    (one,) = select("paper", "W5/near*")
    assert [entry.name for entry in one.entries] == ["dysample", "nearest"]
    assert one.channels_last
    (one,) = select("all", "W2/dysample_plus")
    assert [entry.name for entry in one.entries] == ["dysample_plus"]
    assert [w.name for w in select("all", "W*/bilinear")] == ["W1", "W5"]


def test_what_there_is_not_is_told() -> None:
    with refused(r"`suite` \(='papers'\) must be one of all, paper"):
        select("papers", "*")
    with refused(r"`only` \(='W9'\) must match .*: W1, W2, .*W6$"):
        select("paper", "W9")
