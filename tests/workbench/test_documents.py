"""YAML that is too much, in files and on the command line, and that is not."""

import re
import time
from pathlib import Path

import pytest

from dysample.workbench.documents import load_yaml
from dysample.workbench.training.config import load_config

LEVELS = "\n".join(
    f"  {name}: &{name} [{', '.join(9 * [f'*{before}'])}]"
    for before, name in zip("abcdefgh", "bcdefghi")
)
BOMB = f"weights:\n  a: &a [x, x, x, x, x, x, x, x, x]\n{LEVELS}\n"
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i + 1}: &a{i + 1} {{<<: [{', '.join(9 * [f'*a{i}'])}]}}\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "must hold at most 10000 values, aliases written out, but has 4"),
        (MERGES, "must hold at most 10000 values, aliases written out, but has"),
        ("weights: &a {a: *a}", "must not hold itself, as line 1 does"),
        ("seed: 3\nweights:\n  a: &a [1, [*a]]", "must not hold itself, as line 3 does"),
        ("weights: " + 30_000 * "[", "must not be nested so deeply"),
        ("weights: " + 500 * "{a: " + 500 * "}", "must not be nested so deeply"),
        ("x" * 2**20, "must have at most 32768 characters"),
        ("seed: 1\nseed: 2", "must not hold 'seed' twice, as line 2 does"),
    ],
)
def test_what_is_too_much_is_refused_within_a_second(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"task: depth\n{text}")
    message = message.replace("line 1", "line 2").replace("line 3", "line 4")
    message = message if "twice" not in message else message.replace("line 2", "line 3")
    before = time.process_time()
    with pytest.raises(ValueError, match=rf"`config` \(='.*own.yaml'\) {message}"):
        load_config(path)
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    "value",
    ["!!timestamp x", "!!bool x", "!!int x", "!!int ''", "!!float x", "!!timestamp 2001-02-30",
     "!!int 0x", "0x_", "-0b_", "&a !!bool x", "9" * 5000],
)  # fmt: skip
def test_values_that_are_not_what_they_say(value: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"task: depth\nseed: 2001-02-30\nweights:\n  a: [1, {value}]\n")
    message = re.escape(
        f"own.yaml') must not hold {value[:100]!r}, which is no value, as line 4 does"
    )
    with pytest.raises(ValueError, match=message):
        load_config(path)


def test_days_are_text_and_numbers_need_no_point() -> None:
    assert load_yaml("a: 2001-02-30") == {"a": "2001-02-30"}
    text = "[1e-3, 1.5e4, -2E+1, .5e1, 1.e1, 1e, e1, 1.0, 3, 0x10, .inf]"
    found = [1e-3, 15000.0, -20.0, 5.0, 10.0, "1e", "e1", 1.0, 3, 16, float("inf")]
    assert load_yaml(text) == found
    assert [type(value) for value in load_yaml(text)] == [type(value) for value in found]


def test_anchors_as_people_use_them() -> None:
    text = "base: &base {steps: 3}\nsettings: {<<: *base, width: 8}\nother: [*base, *base]"
    assert load_yaml(text) == {
        "base": {"steps": 3},
        "settings": {"steps": 3, "width": 8},
        "other": [{"steps": 3}, {"steps": 3}],
    }


@pytest.mark.parametrize("kind", ["folder", "device", "/proc/self/mem", "UTF-16", "long"])
def test_files_that_are_none(kind: str, tmp_path: Path) -> None:
    path = {"device": Path("/dev/zero"), "/proc/self/mem": Path(kind)}.get(kind, tmp_path / "c")
    if kind == "folder":
        path.mkdir()
    elif kind == "UTF-16":
        path.write_text("task: depth", encoding="utf-16")
    elif kind == "long":
        path = tmp_path / (300 * "c")
    with pytest.raises((ValueError, OSError), match=str(path)):
        load_config(path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("seed: 9223372036854775808", r"`seed` \(=9223372036854775808\) must be at most 92233"),
        ("steps: 9223372036854775808", r"`steps` \(=9.*\) must be at most 2147483647"),
        ("batch_size: 65537", r"`batch_size` \(=65537\) must be at most 65536"),
        ("width: 4097", r"`width` \(=4097\) must be at most 4096"),
        ("train_frames: 2147483648", r"`train_frames` \(=2.*\) must be at most"),
        ("validate_every: 2147483648", r"`validate_every` \(=2.*\) must be at most"),
        ("loader_workers: 1025", r"`loader_workers` \(=1025\) must be at most 1024"),
    ],
)
def test_numbers_out_of_range(option: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(f"task: depth\n{option}\n")
    with pytest.raises(ValueError, match=message):
        load_config(tmp_path / "own.yaml")
