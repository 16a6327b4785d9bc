from pathlib import Path
from typing import Any

import pytest

from dysample.workbench.identity import run_id


def _id(weights: Any = None, **settings: Any) -> str:
    given = {"steps": 3, "weights": weights, **settings}
    return run_id("depth", {"name": "scenes"}, "nearest", {}, 0, given)


def test_what_counts_of_a_weights_file_is_what_it_holds(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in ("a.pth", "b.pth", "c.pth"))
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")
    third.write_bytes(b"other weights")
    assert _id(str(one)) == _id(str(other))
    assert _id(str(one)) != _id(str(third))
    assert len({_id(), _id("pretrained"), _id(str(one)), _id(steps=4)}) == 4


def test_what_cannot_be_told_apart_is_named() -> None:
    with pytest.raises(OSError, match="/proc/self/mem"):
        _id("/proc/self/mem")
    for value, reason in ((float("nan"), "Out of range float"), ({1}, "type set")):
        with pytest.raises((ValueError, TypeError), match=f"`upsampler_options` must .*{reason}"):
            run_id("depth", {}, "dysample", {"groups": value}, 0, {})
