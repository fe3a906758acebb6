# SPDX-License-Identifier: Apache-2.0
"""What model files have in common: a safetensors file whose metadata key `codesign` holds a checked JSON header.

The header says schema, config, labels, metrics, recipe, sha256 (of the tensors, names and shapes included) and its own. Files
come from anywhere: what is damaged or foreign is a `UserError` of one line. Needs neither torch nor Brevitas.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from codesign.bounded import MIB, check_size, reason
from codesign.errors import UserError
from codesign.nn.config import MAX_LABEL, NetConfig, valid_label

MAX_BYTES = 256 * MIB

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself."""

    config: NetConfig
    labels: tuple[str, ...]
    metrics: dict[str, float | None] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def fit(self) -> str:
        """How training fitted pictures to the input (codesign.data.fit): stretch where the recipe says nothing."""
        return str(self.recipe.get("fit", "stretch"))


def write(path: Path, schema: str, tensors: Tensors, info: ModelInfo) -> None:
    """Write tensors and header, atomically; `info.sha256` is computed here, metrics that are not finite are left out."""
    labels = list(info.labels)
    if len(labels) != info.config.classes:
        raise UserError(f"{len(labels)} labels for a model of {info.config.classes} classes")
    _check_labels(str(path), labels)
    finite = {k: v for k, v in info.metrics.items() if v is None or math.isfinite(v)}
    header = {"schema": schema, "config": info.config.to_json(), "labels": labels, "metrics": finite,
              "recipe": info.recipe, "sha256": digest(tensors)}  # fmt: skip
    header["header_sha256"] = header_digest(header)
    _replace(Path(path), save(tensors, metadata={"codesign": json.dumps(header)}))


def read(path: Path, schema: str) -> tuple[ModelInfo, Tensors]:
    """Header and tensors; the header is checked, the tensors are not (`verify`)."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such model file; check the path")
    check_size(path, MAX_BYTES)
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get("codesign", "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        meta = json.loads(text)
    except (OSError, SafetensorError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not a readable model file ({reason(error, 160)}); copy or train it again") from None
    return _info(path, schema, meta), tensors


def verify(path: Path, info: ModelInfo, tensors: Tensors) -> None:
    """Refuse tensors that are not those the header was written for."""
    if digest(tensors) != info.sha256:
        raise UserError(f"{path}: damaged model file (its tensors do not match its checksum); copy or train it again")


def expect(path: Path, tensors: Tensors, names: set[str]) -> None:
    """Refuse a file whose tensors are not exactly these."""
    if set(tensors) != names:
        odd = sorted(set(tensors) ^ names)[0]
        raise UserError(f"{path}: damaged model file (tensor {odd[:80]!r} is missing or unexpected); copy or train it again")


def checked(path: Path, name: str, tensors: Tensors, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """One tensor of this very shape and type, finite."""
    value = tensors[name]
    if value.shape != shape or value.dtype != dtype:
        raise UserError(f"{path}: damaged model file ({name} is {value.dtype}{str(list(value.shape))[:60]}, not {list(shape)}); copy or train it again")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise UserError(f"{path}: damaged model file ({name} holds a value that is not finite); copy or train it again")
    return value


def digest(tensors: Tensors) -> str:
    """sha256 over names, types, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f"{name} {value.dtype} {value.shape};".encode())
        total.update(np.ascontiguousarray(value).tobytes())
    return total.hexdigest()


def header_digest(header: dict[str, Any]) -> str:
    """sha256 over the header as JSON, keys sorted."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _check_labels(where: str, labels: list[object]) -> None:
    bad = next((n for n in labels if not valid_label(n)), None)
    if bad is not None or None in labels:
        rule = f"printable text of 1 to {MAX_LABEL} characters"
        raise UserError(f"{where}: label {repr(bad)[:60]} must be {rule}; correct labels.txt and train again")


def _info(path: Path, schema: str, meta: object) -> ModelInfo:
    found = meta.get("schema") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or found != schema:
        got = f", found {found[:40]!r}" if isinstance(found, str) else ""
        raise UserError(f"{path}: not a model file of this program (schema {schema} expected{got}); give the {_file_of(schema)} that `codesign train` wrote")
    said = meta.pop("header_sha256", None)
    if said is not None and said != header_digest(meta):  # (earlier versions wrote none)
        raise UserError(f"{path}: damaged model file (its header does not match its checksum); copy or train it again")
    labels, sha256 = meta.get("labels"), meta.get("sha256")
    if not isinstance(labels, list) or not isinstance(sha256, str):
        raise UserError(f"{path}: damaged model file (labels or checksum); copy or train it again")
    _check_labels(str(path), labels)
    try:
        config = NetConfig.from_json(meta.get("config"))  # type: ignore[arg-type]
    except UserError as error:
        text = f"{path}: {error}"
        raise UserError(text if "; " in text else f"{text}; copy or train it again") from None
    if len(labels) != config.classes:
        raise UserError(f"{path}: damaged model file ({len(labels)} labels, {config.classes} classes); copy or train it again")
    metrics, recipe = meta.get("metrics"), meta.get("recipe")
    measured = {key: value for key, value in metrics.items() if value is None or _measured(value)} if isinstance(metrics, dict) else {}
    return ModelInfo(config, tuple(labels), measured, recipe if isinstance(recipe, dict) else {}, sha256)


def _file_of(schema: str) -> str:
    """Which of the files that training writes has this schema."""
    return "float.safetensors" if schema.startswith("codesign-float-") else "model.safetensors"


def _measured(value: object) -> bool:
    """Whether a metric is a number that can be printed as one."""
    return type(value) in (int, float) and abs(value) < 1e15  # type: ignore[arg-type, operator]


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot write ({error.strerror}); check the folder's space and permissions") from None
    finally:
        temporary.unlink(missing_ok=True)
