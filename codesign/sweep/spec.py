# SPDX-License-Identifier: Apache-2.0
"""A sweep file: one TOML table per part of the space, each key a value or a list of them. Every key is checked."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig
from codesign.sweep import choices
from codesign.sweep.choices import Bad, one_of, several, whole

SHIPPED = Path(__file__).resolve().parent / "shipped"
MAX_FILE_BYTES = 64 * 1024
MOST_DESIGNS = 200_000
HARDWARE = tuple(f.name for f in fields(AcceleratorConfig))
MEASURES = {
    "ap50": "AP50 on held-out pictures", "latency_ms": "ms a frame", "cycles": "cycles a frame", "energy_uj": "energy proxy, uJ a frame",
    "dram_bytes": "bytes of DRAM traffic a frame", "macs": "MACs of the network", "lut": "LUTs", "ff": "flip-flops", "dsp": "DSPs",
    "bram36": "block RAMs of 36 kb", "area": "mean share of the device's LUTs, FFs, DSPs and block RAMs",
}  # fmt: skip
GREATER = ("ap50",)  #: of which more is better

_NETWORK = {
    "model": several(choices.text), "config": several(one_of("a", "b", "c", "d", "e", "t")), "width": several(choices.real(0.05, 4)),
    "resolution": several(whole(32, 2048)), "operator": several(one_of("plain", "square", "pairs")), "bound": several(whole(0, 7)),
    "weight_bits": several(one_of(4, 8)), "layer_bits": several(choices.text),
}  # fmt: skip
_TRAINING = {
    "data": choices.text, "recipe": choices.text, "trials": whole(1, 100_000), "optimiser": one_of("grid", "nsga2", "tpe"),
    "batch": whole(1, 1000),
}  # fmt: skip
_HARDWARE = {
    "boards": several(choices.text), "mhz": several(whole(1, 1000)), **{key: several(whole(1, 1 << 20)) for key in HARDWARE},
    "plans": whole(8, 100_000), "replans": whole(0, 1000), "fill": choices.real(0.1, 1),
}  # fmt: skip
_CHECK = {"points": whole(0, 1000), "synthesis": choices.flag}
_EXECUTOR = {"kind": one_of("local", "ray"), "workers": whole(1, 4096), "address": choices.text, "gpus": choices.real(0, 64)}
_TOP = ("name", "seed", "objectives", "network", "training", "hardware", "check", "executor")


@dataclass(frozen=True)
class Training:
    """How networks are trained. ``trials`` None: every combination; ``batch``: networks trained between two of the optimiser's
    choices."""

    data: str = "digits"
    recipe: str = "digits"
    trials: int | None = None
    optimiser: str = "grid"
    batch: int = 4


@dataclass(frozen=True)
class Hardware:
    """The accelerators. ``axes``: setting -> values, those of boards' accelerators and ``mhz``; ``plans``: how many designs
    at most are planned per network and board, ``replans`` how many of their front once more by every policy; ``fill``: share of a device's resources that a design may take."""

    boards: tuple[str, ...] = ("pynq-z2",)
    axes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    plans: int = 64
    replans: int = 6
    fill: float = 1.0


@dataclass(frozen=True)
class Check:
    """How many points of the front are built in RTL, the fastest of each board first, and whether they are synthesised."""

    points: int = 0
    synthesis: bool = True


@dataclass(frozen=True)
class Executor:
    """Who works. ``workers`` None: as many as there are cores; ``gpus``: of each training, where Ray has some."""

    kind: str = "local"
    workers: int | None = None
    address: str = ""
    gpus: float = 0.0


@dataclass(frozen=True)
class SweepSpec:
    """A checked sweep file. ``network``: key -> values; ``training`` None: nothing is trained; ``text``: the file
    as it was read."""

    name: str
    seed: int
    objectives: tuple[str, ...]
    network: dict[str, tuple[Any, ...]]
    training: Training | None
    hardware: Hardware
    check: Check
    executor: Executor
    path: str
    text: str = ""


def load_spec(given: str | Path) -> SweepSpec:
    """The sweep file of this path, or the shipped one of this name. Wrong input raises `UserError`."""
    path = Path(given)
    if path.suffix != ".toml":
        known = sorted(each.stem for each in SHIPPED.glob("*.toml"))
        if str(given) not in known:
            raise UserError(f"unknown sweep {choices.shown(str(given))}; known: {', '.join(known)}; or give the path of a .toml file")
        path = SHIPPED / f"{given}.toml"
    try:
        raw, text = _read(path)
        return replace(_spec(raw, str(given)), text=text)
    except Bad as error:
        raise UserError(f"{path}: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        with open(path, "rb") as handle:
            raw = handle.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Bad(f"cannot be read: {getattr(error, 'strerror', None) or error}; give the path of a sweep's .toml file") from error
    if len(raw) > MAX_FILE_BYTES:
        raise Bad(f"larger than {MAX_FILE_BYTES} bytes: not a sweep file; give the path of one")
    try:
        return tomllib.loads(raw.decode()), raw.decode()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Bad(f"not valid TOML: {error}; correct the file") from error
    except ValueError as error:  # Python refuses to convert very long numbers
        raise Bad(f"not valid TOML: a number of more than {sys.get_int_max_str_digits()} digits; shorten it") from error


def _spec(raw: dict[str, Any], given: str) -> SweepSpec:
    for key in raw:
        if key not in _TOP:
            raise Bad(f"unknown key {choices.shown(key)[1:-1]}; known: {', '.join(_TOP)}")
    for key in ("name", "hardware"):
        if key not in raw:
            raise Bad(f"key {key} is missing")
    training = Training(**choices.table("training", raw["training"], _TRAINING)) if "training" in raw else None
    network = choices.table("network", raw.get("network", {}), _NETWORK)
    _check_network(network, training)
    hardware = _hardware(raw["hardware"])
    objectives = _objectives(raw.get("objectives"), training is not None or "model" in network)
    return SweepSpec(
        choices.name("name", raw["name"]), whole(0, 2**31 - 1)("seed", raw.get("seed", 1)), objectives, network, training, hardware,
        Check(**choices.table("check", raw.get("check", {}), _CHECK)), Executor(**choices.table("executor", raw.get("executor", {}), _EXECUTOR)),
        given,
    )  # fmt: skip


def _check_network(network: dict[str, Any], training: Training | None) -> None:
    if "model" in network and len(network) > 1:
        other = next(key for key in network if key != "model")
        raise Bad(f"network.{other}: a model file has its own; leave it out, or leave network.model out")
    if "model" in network and training is not None:
        raise Bad("training: network.model is trained already; leave one of them out")
    if training is None and any(key in network for key in ("width", "operator", "bound", "layer_bits")):
        raise Bad("network: width, operator, bound and layer_bits need a [training] table; without it give model, config, "
                  "resolution or weight_bits")  # fmt: skip
    for side in network.get("resolution", ()):
        if side % 32:
            raise Bad(f"network.resolution = {side}: must be a multiple of 32")


def _hardware(raw: object) -> Hardware:
    found = choices.table("hardware", raw, _HARDWARE)
    about = {key: found.pop(key) for key in ("boards", "plans", "replans", "fill") if key in found}
    hardware = Hardware(axes=found, **about)
    count = len(hardware.boards)
    for values in found.values():
        count *= len(values)
    if count > MOST_DESIGNS:
        raise Bad(f"hardware: {count:,} designs; at most {MOST_DESIGNS:,}: shorten a list")
    return hardware


def _objectives(given: object, scored: bool) -> tuple[str, ...]:
    if given is None:
        return ("ap50", "latency_ms", "area") if scored else ("latency_ms", "area")
    if not isinstance(given, list) or not given:
        raise Bad(f"objectives = {choices.shown(given)}: must be a list of {', '.join(MEASURES)}")
    names = several(one_of(*MEASURES))("objectives", given)
    if "ap50" in names and not scored:
        raise Bad("objectives: ap50 needs trained networks; give network.model or a [training] table")
    return names
