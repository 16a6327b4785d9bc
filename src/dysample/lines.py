"""JSON Lines files: append safely, and read what editors and copies make of them."""

import codecs
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dysample.files import named, whole_file

_log = logging.getLogger(__name__)

_BLANK = " \t\r\n\0\ufeff"
"""Between values: a power cut leaves NULs, and joined files have a mark of the encoding each."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # which starts as that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Lines:
    """The contents of a file.

    Attributes:
        values: each with its line number; the entries of a list count one by one.
        end: bytes up to the last value; what follows is blank or incomplete.
        torn: whether the last line is incomplete: it has no line end and is not JSON.
    """

    values: list[tuple[int, Any]]
    end: int
    torn: bool


def read_lines(path: Path) -> Lines:
    """Read the values of a file.

    Line ends of any system are read, and values without line ends between them, over several lines
    or in a list. The encoding is UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        ValueError: not JSON Lines; the message names the line.
        OSError: a file that cannot be read.
    """
    with named(path):
        return parse_lines(path.read_bytes(), path)


def parse_lines(content: bytes, path: Path) -> Lines:
    """Read the values of a file's contents; `path` is for errors."""
    codec, unit = encoding_of(content)
    rest = len(content) % unit
    # Bytes that are not UTF-8 become surrogates, which JSON does not allow.
    errors = "surrogateescape" if unit == 1 else "strict"
    text = content[: len(content) - rest].decode(codec, errors)
    decoder = json.JSONDecoder()
    values: list[tuple[int, Any]] = []
    place, line, counted, end, torn = 0, 1, 0, 0, bool(rest)
    while True:
        while place < len(text) and text[place] in _BLANK:
            place += 1
        line += _breaks(text[counted:place])
        counted = place
        if place == len(text):
            break
        try:
            value, place = decoder.raw_decode(text, place)
            text[counted:place].encode()
        except (ValueError, RecursionError) as error:
            if _breaks(text[counted:]):
                raise ValueError(f"`{path}` line {line}: not JSON ({_reason(error)})") from None
            torn = True
            break
        values += [(line, part) for part in (value if isinstance(value, list) else [value])]
        end = place
    return Lines(values, len(text[:end].encode(codec, errors)), torn)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines to a file, all of them or none, and flush them to the disk.

    A last line without a line end gets one. If it is not JSON, its writer was killed: it is moved
    into `NAME.torn`, with a line in the log.

    Raises:
        ValueError: the last line has no line end, and the file before it is not JSON Lines.
        OSError: the file cannot be written; it is as it was.
    """
    text = "".join(f"{line}\n" for line in lines)
    # Unbuffered: what cannot be written now must not be written when the file is closed.
    with named(path), path.open("a+b", buffering=0) as file:
        file.seek(0)
        content = file.read()
        codec, _ = encoding_of(content)
        if content and not content.endswith(("\n".encode(codec), "\r".encode(codec))):
            found = parse_lines(content, path)
            if found.torn:
                _put_aside(path, content[found.end :])
                file.truncate(found.end)
            text = f"\n{text}" if found.end else text
        before = file.seek(0, os.SEEK_END)
        left = memoryview(text.encode(codec))
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(before)
            raise


def _put_aside(path: Path, torn: bytes) -> None:
    aside, number = Path(f"{path}.torn"), 1
    while aside.exists():
        number += 1
        aside = Path(f"{path}.torn{number}")
    with whole_file(aside) as file:
        file.write(torn)
    _log.warning("the torn last line of %s is kept in %s", path, aside)


def encoding_of(content: bytes) -> tuple[str, int]:
    """Return the encoding of a file by its first bytes, and the bytes in a code unit."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return codec, len(mark)
    first = [bool(byte) for byte in content[:4]]
    # JSON starts with two ASCII characters.
    if first == [True, False, True, False]:
        return "utf-16-le", 2
    return ("utf-16-be", 2) if first == [False, True, False, True] else ("utf-8", 1)


def _breaks(blank: str) -> int:
    """Line ends of any system."""
    return blank.replace("\r\n", "\n").replace("\r", "\n").count("\n")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
