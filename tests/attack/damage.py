"""Damage to bytes, to documents and to text, chosen by a generator with a seed."""

import copy
import json
from random import Random
from typing import Any

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2.5, 7, 255, 2**31, 2**63, 10**400, float("nan"), float("inf"),
    1e300, -0.0, "", "0", "1e9", "../x", "a\nb\0", "[bold]x[/nope]", "\u2028\u202e", "x" * 3000,
    [], [[]], [None], [1, 2], {}, {"id": 1}, {"size": [6, 8]}, [[[1]]], "\ud800",
]  # fmt: skip

_HEADS = (b"", b"\xff\xfe", b"\xef\xbb\xbf", b"%!PS-Adobe\n", b"PK\x03\x04", b"\x1f\x8b", b"GIF89a")


def spoiled(rng: Random, content: bytes) -> bytes:
    """Bytes as disks, transfers and editors leave them."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        place = rng.randrange(len(data) + 1)
        # Heads of files say the most.
        place = min(place, rng.choice((16, 64, 512, len(data), len(data))))
        length = min(rng.choice((1, 2, 4, 16, 1000)), len(data) - place)
        match rng.randrange(9):
            case 0:
                del data[place:]
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = rng.randbytes(length or 1)
            case 3:
                data[place : place + length] = rng.randbytes(length)
            case 4:
                data[place : place + length] = bytes([rng.choice((0, 255))]) * length
            case 5:
                data[place:place] = data[place : place + length]
            case 6 if place < len(data):
                data[place] ^= 1 << rng.randrange(8)
            case 7:
                data[:0] = rng.choice(_HEADS)
            case _:
                data.extend(rng.choice((b"\0" * 64, b"\n", content[:100], b"}")))
    return bytes(data)


def changed(rng: Random, document: Any) -> Any:
    """A JSON-like document with one to three wrong, missing, doubled or moved values."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 2, 3))):
        document = _change(rng, document)
    return document


def _change(rng: Random, document: Any) -> Any:
    parent, key, value = None, None, document
    # Down for a while: what is near the root is reached as often as the many leaves.
    while isinstance(value, dict | list) and value and rng.random() < 0.85:
        parent = value
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        value = parent[key]
    new = rng.choice(VALUES)
    if isinstance(value, int | float) and rng.random() < 0.4:
        new = rng.choice((-value, value + 1, value * 10**6, str(value), float(value), [value]))
    if parent is None:
        return new if rng.random() < 0.2 else document
    match rng.randrange(6):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.append(copy.deepcopy(value))
        case 1:
            parent[rng.choice(("", "x", "Id", f"{key} "))] = parent.pop(key)
        case 2:
            other = rng.choice(list(parent)) if isinstance(parent, dict) else rng.randrange(
                len(parent)
            )  # fmt: skip
            parent[key], parent[other] = parent[other], parent[key]
        case _:
            parent[key] = new
    return document


def as_json(rng: Random, document: Any) -> bytes:
    """A damaged document, or the damaged text of a whole one."""
    if rng.random() < 0.6:
        return json.dumps(changed(rng, document)).encode(
            rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"))
        )
    text = json.dumps(document).encode()
    if rng.random() < 0.2:
        opened = rng.choice((b"[", b'{"a":', b"[{"))
        place = text.find(b":") + 1
        return text[:place] + opened * rng.choice((10, 2_000, 200_000)) + text[place:]
    return spoiled(rng, text)
