# SPDX-License-Identifier: Apache-2.0
"""detector.json of a deployment zip: the network's ends, the memory map and the accelerator, every value checked."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from codesign.runtime.faults import PackageError

SCHEMA = 1
ROLES = ("hm", "wh", "reg")
MAX_MEMORY = 1 << 30
_SIDE = 4096
_CHANNELS = 4096


@dataclass(frozen=True)
class Planes:
    """A tensor in memory: ``planes`` are byte addresses of words of ``lanes`` int8; ``channels`` are (plane, lane).

    ``shape`` is (C, H, W); with ``up`` = 1 the planes are stored at half the height and width.
    """

    shape: tuple[int, int, int]
    scale: float
    zero_point: int
    planes: tuple[int, ...]
    channels: tuple[tuple[int, int], ...]
    up: int

    @property
    def words(self) -> int:
        """Words of a plane."""
        return (self.shape[1] >> self.up) * (self.shape[2] >> self.up)


@dataclass(frozen=True)
class Description:
    """What the driver knows of a package. Addresses are bytes from the start of a frame's memory.

    ``image`` is where the picture lies as H·W·4 bytes (R, G, B, unused), or None where it lies in ``inputs``.
    ``accelerator`` are the fields of its configuration, ``control`` its registers' (address, bytes) on the board.
    """

    board: str
    clock_mhz: float
    lanes: int
    shape: int
    engines: tuple[str, ...]
    accelerator: dict[str, int]
    control: tuple[int, int] | None
    labels: tuple[str, ...]
    size: tuple[int, int]
    instructions: int
    weights_address: int
    memory_bytes: int
    image: int | None
    inputs: Planes | None
    outputs: dict[str, Planes]


class _Bad(Exception):
    """What is wrong; `parse` says where."""


def parse(text: bytes) -> Description:
    """The description in ``text``. Raises `PackageError` with the key and the rule."""
    try:
        return _description(json.loads(text.decode()))
    except _Bad as error:
        raise PackageError(f"detector.json: {error}; make the package again with `codesign package`") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise PackageError(
            f"detector.json cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:100]}); make the package again with `codesign package`"
        ) from None


def _description(raw: dict[str, Any]) -> Description:
    if raw.get("schema") != SCHEMA:
        raise _Bad(f"schema is {raw.get('schema')!r}, this driver reads {SCHEMA}")
    lanes = _whole(raw, "lanes", 16, 32)
    size = (_whole(raw, "height", 1, _SIDE), _whole(raw, "width", 1, _SIDE))
    memory = _whole(raw, "memory_bytes", 1, MAX_MEMORY)
    outputs = {role: _planes(raw["outputs"][role], f"outputs.{role}", lanes, memory) for role in ROLES}
    image = None if raw["image"] is None else _whole(raw, "image", 0, memory - 4 * size[0] * size[1])
    inputs = None if image is not None else _planes(raw["inputs"], "inputs", lanes, memory)
    if inputs is not None and inputs.shape != (3, *size):
        raise _Bad(f"inputs.shape is {inputs.shape}; must be (3, {size[0]}, {size[1]})")
    classes, height, width = outputs["hm"].shape
    for role in ("wh", "reg"):
        if outputs[role].shape != (2, height, width):
            raise _Bad(f"outputs.{role}.shape is {outputs[role].shape}; must be (2, {height}, {width})")
    labels = tuple(_text(label, "labels") for label in raw["labels"])
    if labels and len(labels) != classes:
        raise _Bad(f"labels has {len(labels)} names; hm has {classes} channels")
    accelerator = {_text(key, "accelerator"): _whole(raw["accelerator"], key, 0, 1 << 20) for key in raw["accelerator"]}
    control = raw["control"]
    return Description(
        board=_text(raw["board"], "board"),
        clock_mhz=_real(raw["clock_mhz"], "clock_mhz"),
        lanes=lanes,
        shape=_whole(raw, "shape", 0, (1 << 32) - 1),
        engines=tuple(_text(name, "engines") for name in raw["engines"]),
        accelerator=accelerator,
        control=None if control is None else (_whole(control, "address", 0, 1 << 40), _whole(control, "bytes", 4096, 1 << 30)),
        labels=labels,
        size=size,
        instructions=_whole(raw, "instructions", 1, 65535),
        weights_address=_whole(raw, "weights_address", 0, memory),
        memory_bytes=memory,
        image=image,
        inputs=inputs,
        outputs=outputs,
    )


def _planes(raw: dict[str, Any], where: str, lanes: int, memory: int) -> Planes:
    shape = tuple(raw["shape"])
    if len(shape) != 3 or not all(type(n) is int and 0 < n <= _SIDE for n in shape) or shape[0] > _CHANNELS:
        raise _Bad(f"{where}.shape is {shape}; must be three sizes of at most {_SIDE}")
    up = _whole(raw, "up", 0, 1)
    words = (shape[1] >> up) * (shape[2] >> up)
    planes, channels = tuple(raw["planes"]), tuple((p, lane) for p, lane in raw["channels"])
    if not planes or not all(type(a) is int and 0 <= a <= memory - words * lanes for a in planes):
        raise _Bad(f"{where}.planes must lie within {memory} bytes")
    if len(channels) != shape[0] or not all(
        type(p) is int and 0 <= p < len(planes) and type(lane) is int and 0 <= lane < lanes for p, lane in channels
    ):
        raise _Bad(f"{where}.channels must name a plane and a lane for each of {shape[0]} channels")
    zero = _whole(raw, "zero_point", -128, 127)
    return Planes(shape, _real(raw["scale"], f"{where}.scale"), zero, planes, channels, up)


def _whole(raw: dict[str, Any], key: str, low: int, high: int) -> int:
    value = raw[key]
    if type(value) is not int or not low <= value <= high:
        raise _Bad(f"{key} is {str(value)[:40]}; must be a whole number, {low} to {high}")
    return value


def _real(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
        raise _Bad(f"{where} is {str(value)[:40]}; must be a number above 0")
    return float(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100 or not value.isprintable():
        raise _Bad(f"{where} holds {str(value)[:40]!r}; must be printable text of 1 to 100 characters")
    return value
