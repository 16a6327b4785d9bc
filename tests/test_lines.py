"""Result files as editors, copying, power cuts and full disks leave them."""

import errno
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from dysample.lines import append_lines, parse_lines, read_lines
from support.refusals import refused

A, B = {"run": "a", "x": 0.1}, {"run": "b", "name": "Straße \u2028 [bold]"}
ONE, TWO = json.dumps(A), json.dumps(B, ensure_ascii=False)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


WHOLE = {
    "usual": f"{ONE}\n{TWO}\n".encode(),
    "no last end": f"{ONE}\n{TWO}".encode(),
    "Windows": f"{ONE}\r\n{TWO}\r\n".encode(),
    "CR alone": f"{ONE}\r{TWO}\r".encode(),
    "CR alone, no last end": f"{ONE}\r{TWO}".encode(),
    "marked": f"\ufeff{ONE}\n{TWO}\n".encode(),
    "two marked files": f"\ufeff{ONE}\n\ufeff{TWO}\n".encode(),
    "UTF-16": f"{ONE}\r\n{TWO}\r\n".encode("utf-16"),
    "UTF-16 big": f"\ufeff{ONE}\n{TWO}".encode("utf-16-be"),
    "UTF-16 unmarked": f"{ONE}\n{TWO}\n".encode("utf-16-le"),
    "UTF-16 big, unmarked": f"{ONE}\n{TWO}\n".encode("utf-16-be"),
    "UTF-32": f"{ONE}\n{TWO}\n".encode("utf-32"),
    "array": f"[{ONE}, {TWO}]".encode(),
    "array over lines": json.dumps([A, B], indent=2).encode() + b"\n",
    "over lines": f"{json.dumps(A, indent=1)}\n{json.dumps(B, indent=1)}\n".encode(),
    "side by side": f"{ONE}{TWO}\n".encode(),
    "NUL at the end": f"{ONE}\n{TWO}\n".encode() + bytes(4096),
    "NUL between": f"{ONE}\n".encode() + bytes(9) + f"{TWO}\n".encode(),
    "NUL before": bytes(1) + f"{ONE}\n{TWO}\n".encode(),
    "blank lines": f"\n\n{ONE}\n \t\n{TWO}\n\n".encode(),
}


@pytest.mark.parametrize("form", WHOLE)
def test_every_form_is_read_and_stays_when_lines_are_added(form: str, tmp_path: Path) -> None:
    content = WHOLE[form]
    path = written(tmp_path / "r.jsonl", content)
    found = read_lines(path)
    assert [value for _, value in found.values] == [A, B]
    assert not found.torn
    append_lines(path, ['{"run": "c"}', "[3]"])
    assert [value for _, value in read_lines(path).values] == [A, B, {"run": "c"}, 3]
    assert path.read_bytes().startswith(content)
    assert [other.name for other in tmp_path.iterdir()] == ["r.jsonl"]


@pytest.mark.parametrize(
    "torn",
    [b'{"run": "b", "metr', b'{"run": "b"', '{"run": "é'.encode()[:-1], b'{"run": "b\0\0\0', b"x"],
)
@pytest.mark.parametrize("before", [b"", ONE.encode() + b"\n", ONE.encode() + b"\r", ONE.encode()])
def test_a_torn_last_line_is_put_aside(
    torn: bytes, before: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "r.jsonl", before + torn)
    whole = [A] if before else []
    assert read_lines(path).torn
    with caplog.at_level(logging.WARNING):
        append_lines(path, ['{"run": "c"}'])
    assert [value for _, value in read_lines(path).values] == [*whole, {"run": "c"}]
    assert (tmp_path / "r.jsonl.torn").read_bytes().lstrip(b"\r\n") == torn
    assert f"{path} is kept in {path}.torn" in caplog.text
    # The next one gets a name of its own.
    path.write_bytes(path.read_bytes() + b"{")
    append_lines(path, ['{"run": "d"}'])
    assert (tmp_path / "r.jsonl.torn2").read_bytes().lstrip(b"\n") == b"{"
    assert (tmp_path / "r.jsonl.torn").read_bytes().lstrip(b"\r\n") == torn


def test_a_torn_last_line_of_utf_16(tmp_path: Path) -> None:
    torn = '{"run'.encode("utf-16-le")[:-1]
    path = written(tmp_path / "r", f"{ONE}\n".encode("utf-16") + torn)
    append_lines(path, [TWO])
    assert [value for _, value in read_lines(path).values] == [A, B]
    assert (tmp_path / "r.torn").read_bytes().removeprefix(b"\n\0") == torn


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (f"{ONE}\nnonsense\n{TWO}\n".encode(), 2, "Expecting value"),
        (f"{ONE}\r\n\r\n{{\r\n".encode(), 3, "Expecting property name"),
        (json.dumps([A, B], indent=1).encode() + b'\n{"run\n', 11, "Invalid control character"),
        (ONE.encode() + b'\n{"run": "\xff"}\n', 2, "surrogates not allowed"),
        (b"[" * 200_000 + b"\n", 1, "nested too deeply"),
        (f"{ONE},\n{TWO}\n".encode(), 1, "Expecting value"),
    ],
)
def test_what_is_no_json_is_named_and_stays(
    content: bytes, line: int, reason: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "r.jsonl", content)
    with refused(rf"r.jsonl` line {line}: not JSON \(.*{reason}"):
        read_lines(path)
    assert path.read_bytes() == content


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "r.jsonl", f"{ONE}\n".encode())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refused("No space left", OSError) as caught:
        append_lines(path, [TWO])
    assert caught.value.filename == str(path)
    assert path.read_bytes() == f"{ONE}\n".encode()


def test_a_file_that_cannot_be_read_is_named() -> None:
    with refused("/proc/self/mem", OSError):
        read_lines(Path("/proc/self/mem"))


def test_an_empty_file() -> None:
    for content in (b"", b"\n", b"\0\0", b"\xef\xbb\xbf"):
        found: Any = parse_lines(content, Path("r"))
        assert (found.values, found.end, found.torn) == ([], 0, False)
