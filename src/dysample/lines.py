"""Files of one JSON value a line, as they are written, and as editors and copying leave them."""

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
    """What a file holds.

    Attributes:
        values: each with the number of its line; those of a list are values of their own.
        end: bytes up to which there are values; what follows is blank, or was torn off.
        torn: whether it was torn off: a last line without an end, which is not JSON.
    """

    values: list[tuple[int, Any]]
    end: int
    torn: bool


def read_lines(path: Path) -> Lines:
    """The values of a file.

    Lines end as on any system. Values without a line's end between them, over several lines or in
    a list are read too, in UTF-8, UTF-16 or UTF-32, with a mark or without.

    Raises:
        ValueError: no file of JSON lines, naming the line.
        OSError: a file that cannot be read.
    """
    with named(path):
        return parse_lines(path.read_bytes(), path)


def parse_lines(content: bytes, path: Path) -> Lines:
    """The same of a file's content; `path` is for errors."""
    codec, unit = encoding_of(content)
    rest = len(content) % unit
    # Bytes that are no UTF-8 become surrogates, which JSON does not have.
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
    """Add lines at the end of a file, all of them or none, and see that they are on the disk.

    A last line without an end gets one. If it is not JSON, its writer was killed: it is moved into
    a file of its own, `NAME.torn`, which the log tells.

    Raises:
        ValueError: the last line has no end, and before it the file holds no JSON lines.
        OSError: the file cannot be written; it is as it was.
    """
    text = "".join(f"{line}\n" for line in lines)
    # Not buffered: what cannot be written now must not be written when the file is closed.
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
    """The encoding of a file by its first bytes, and the bytes of its units."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return codec, len(mark)
    first = [bool(byte) for byte in content[:4]]
    # JSON starts with two characters of ASCII.
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
