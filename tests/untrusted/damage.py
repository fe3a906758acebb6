# SPDX-License-Identifier: Apache-2.0
"""Ways to spoil a sound file, from a seed: bytes anywhere, and values where a file's form says that values are."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

#: values that a JSON or TOML key does not expect
NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), "", "x",
    "../../escape", "/etc/passwd", "a\nb", "a\0b", "\ud800", "ü" * 300, "9" * 400, [], {}, [[]], [0] * 1000, [None], {"": {}}, [1e308, -1],
)  # fmt: skip
_NUMBERS = (b"-1", b"0", b"nan", b"inf", b"-inf", b"1e999", b"99999999999999999999999999", b"0x" + b"f" * 5000, b'"text"', b"[]", b"1.5", b"true")


def of_bytes(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """One edit that needs no knowledge of the file."""
    return noise.choice(_BYTES)(sound, noise)


def of_text(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """One edit of a file of lines: a number or a line replaced, moved, dropped or doubled."""
    edit = noise.choice(("number", "line dropped", "line doubled", "lines swapped", "quote"))
    lines = sound.splitlines(keepends=True) or [b""]
    at = noise.randrange(len(lines))
    if edit == "line dropped":
        return edit, b"".join(lines[:at] + lines[at + 1 :])
    if edit == "line doubled":
        return edit, b"".join(lines[: at + 1] + lines[at:])
    if edit == "lines swapped":
        other = noise.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
        return edit, b"".join(lines)
    found = list(re.finditer(rb"[0-9][0-9.e]*" if edit == "number" else rb"[\"'<>={}\[\]]", sound))
    if not found:
        return of_bytes(sound, noise)
    spot, new = noise.choice(found), noise.choice(_NUMBERS) if edit == "number" else noise.choice((b"", b'"', b"\0", b"\xff", b"]" * 9))
    return f"{edit} at {spot.start()}", sound[: spot.start()] + new + sound[spot.end() :]


def of_json(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """One value of a JSON document replaced by a nasty one, or a key dropped; sometimes the text instead."""
    if noise.random() < 0.2:
        return of_text(sound, noise)
    document = json.loads(sound)
    said = spoil(document, noise)
    return said, json.dumps(document).encode()


def of_json_lines(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """`of_json` on one of the lines."""
    lines = sound.splitlines()
    at = noise.randrange(len(lines))
    said, lines[at] = of_json(lines[at], noise)
    return f"line {at + 1}: {said}", b"\n".join(lines) + b"\n"


def of_safetensors(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    """A value of the header, or of the JSON that its metadata hold, or a byte of the tensors; the length is put right."""
    size = int.from_bytes(sound[:8], "little")
    header, data = json.loads(sound[8 : 8 + size]), bytearray(sound[8 + size :])
    inner = {key: json.loads(text) for key, text in header["__metadata__"].items() if text.startswith("{")}
    choice = noise.random()
    for document in inner.values():
        if noise.random() < 0.8:
            document.pop("header_sha256", None)  # so that what is behind the checksum is reached
    if choice < 0.6 and inner:
        key = noise.choice(sorted(inner))
        said = f"metadata {key}: {spoil(inner[key], noise)}"
        header["__metadata__"][key] = json.dumps(inner[key])
    elif choice < 0.9 or not data:
        said = f"header: {spoil(header, noise)}"
    else:
        at = noise.randrange(len(data))
        said, data[at] = f"tensor byte {at}", noise.randrange(256)
    text = json.dumps(header).encode()
    return said, len(text).to_bytes(8, "little") + text + bytes(data)


def spoil(document: Any, noise: random.Random) -> str:
    """Change one value of a document in place, anywhere in it; what was done."""
    places = list(_places(document, ()))
    where, holder, key = noise.choice(places)
    if isinstance(holder, dict) and noise.random() < 0.2:
        del holder[key]
        return f"{where} dropped"
    old, new = holder[key], noise.choice(NASTY)
    if noise.random() < 0.2 and type(old) in (int, float):
        new = noise.choice((-old, old + 1, old * 1000, old / 3))
    holder[key] = json.loads(json.dumps(new))
    return f"{where} = {str(new)[:30]!r}"


def _places(value: Any, where: tuple[Any, ...]) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield "/".join(map(str, (*where, key))), value, key
        yield from _places(each, (*where, key))


def _truncated(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    length = noise.randrange(max(1, len(sound)))
    return f"cut to {length}", sound[:length]


def _flipped(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    made = bytearray(sound)
    places = [noise.randrange(len(made)) for _ in range(noise.choice((1, 1, 2, 8)))] if made else []
    for place in places:
        made[place] ^= noise.randrange(1, 256)
    return f"flipped {places}", bytes(made)


def _spliced(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    start, at = noise.randrange(max(1, len(sound))), noise.randrange(max(1, len(sound)))
    piece = sound[start : start + noise.choice((1, 4, 16, 64))]
    over = noise.random() < 0.5
    return f"{len(piece)} bytes of {start} {'over' if over else 'into'} {at}", sound[:at] + piece + sound[at + over * len(piece) :]


def _filled(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    at, size, byte = noise.randrange(max(1, len(sound))), noise.choice((1, 2, 4, 8)), noise.choice((b"\0", b"\xff", b"\x7f", b"\x80"))
    return f"{size} × {byte!r} at {at}", sound[:at] + byte * size + sound[at + size :]


def _longer(sound: bytes, noise: random.Random) -> tuple[str, bytes]:
    return "with a tail", sound + noise.randbytes(noise.choice((1, 8, 100)))


_BYTES: tuple[Callable[[bytes, random.Random], tuple[str, bytes]], ...] = (_truncated, _flipped, _flipped, _spliced, _filled, _longer)
