# SPDX-License-Identifier: Apache-2.0
"""Training checkpoints: one safetensors file (model, average, optimiser), JSON metadata, atomic replacement."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from codesign.bounded import MIB, check_size, reason
from codesign.errors import UserError
from codesign.train.ema import Ema

SCHEMA = "codesign-checkpoint-2"
MAX_BYTES = 1024 * MIB


@dataclass(frozen=True)
class Progress:
    """Where a checkpoint stands: epochs done of the run, steps done of the next one and the sum of their losses.

    `fingerprint` is that of network, recipe and data; `stage` the stage's name.
    """

    epoch: int
    fingerprint: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    stage: str = ""
    step: int = 0
    loss: float = 0.0


def atomic_save(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file beside `path`, then rename it over: readers see the old file or the new one."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # not save_file, whose files only their owner can read
        temporary.write_bytes(save({k: v.detach().contiguous() for k, v in tensors.items()}, metadata=metadata))
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot write ({error}); check the folder's space and permissions") from None
    finally:
        temporary.unlink(missing_ok=True)


def save_checkpoint(
    path: Path, progress: Progress, model: nn.Module, ema: Ema, optimiser: torch.optim.Optimizer,
    identity: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Everything a killed run needs to go on exactly; `identity` says by name what the fingerprint stands for."""
    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"ema/{k}": v for k, v in ema.average.items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors = {k: v.clone() for k, v in tensors.items()}  # safetensors refuses shared storage
    metadata = {"schema": SCHEMA, "epoch": str(progress.epoch), "fingerprint": progress.fingerprint,
                "metrics": progress.metrics, "ema_steps": str(ema.steps), "stage": progress.stage,
                "step": progress.step, "loss": progress.loss, "sha256": digest(tensors),
                "identity": identity}  # fmt: skip
    atomic_save(tensors, path, {"codesign": json.dumps(metadata)})


def read_progress(path: Path) -> Progress:
    """Metadata only."""
    meta = _metadata(path)
    try:
        progress = Progress(int(meta["epoch"]), str(meta["fingerprint"]), dict(meta["metrics"]), str(meta["stage"]),
                            int(meta["step"]), float(meta["loss"]))  # fmt: skip
    except KeyError as error:
        raise _damaged(path, f"its metadata lacks {error}") from None
    except (ValueError, TypeError, OverflowError):
        raise _damaged(path, "epoch or metrics in its metadata are malformed") from None
    if not math.isfinite(progress.loss) or not all(value is None or type(value) in (int, float) for value in progress.metrics.values()):
        raise _damaged(path, "its loss or a metric is no number")
    if not 0 <= min(progress.epoch, progress.step) <= max(progress.epoch, progress.step) < 1 << 53:
        raise _damaged(path, f"epoch {progress.epoch} or step {progress.step} in its metadata is negative or beyond counting")
    return progress


def read_identity(path: Path) -> object:
    """What the run of a checkpoint says that it is, unchecked; None where an earlier version wrote it."""
    return _metadata(path).get("identity")


def load_checkpoint(path: Path, model: nn.Module, ema: Ema) -> None:
    """Restore model and average into freshly built objects of the same structure."""
    meta, parts = _metadata(path), _parts(path)
    _expect_shapes(path, parts["ema"], ema.average)
    try:
        model.load_state_dict(parts["model"])
        ema.load(parts["ema"], int(meta["ema_steps"]))
    except (RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise _damaged(path, str(error)) from None


def load_optimiser(path: Path, optimiser: torch.optim.Optimizer) -> None:
    """Restore an optimiser built over the restored model's parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    try:
        for key, value in _parts(path)["optimiser"].items():
            number, _, name = key.partition("/")
            state.setdefault(int(number), {})[name] = value
        _expect_state(path, state, optimiser)
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    except (RuntimeError, KeyError, ValueError) as error:
        raise _damaged(path, str(error)) from None


def _parts(path: Path) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "ema": {}, "optimiser": {}}
    wanted, total = _metadata(path).get("sha256"), {}
    try:
        with safe_open(str(path), framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 (safe_open is not a mapping)
                part, _, name = key.partition("/")
                parts[part][name] = total[key] = file.get_tensor(key)
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from None
    if wanted is not None and wanted != digest(total):  # (earlier versions wrote none)
        raise _damaged(path, "its tensors do not match its checksum")
    return parts


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _expect_shapes(path: Path, found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Refuse an average of other tensors than the model's."""
    odd = next((n for n in sorted(set(found) ^ set(wanted))), None) or next((n for n in found if found[n].shape != wanted[n].shape), None)
    if odd is not None:
        raise _damaged(path, f"average of {odd[:80]!r} is missing, unexpected or of another shape")


def _expect_state(path: Path, state: dict[int, dict[str, Tensor]], optimiser: torch.optim.Optimizer) -> None:
    """Refuse an optimiser's state of other parameters than its own."""
    shapes = [p.shape for group in optimiser.param_groups for p in group["params"]]
    for number, values in state.items():
        if not 0 <= number < len(shapes) or any(v.numel() != 1 and v.shape != shapes[number] for v in values.values()):
            raise _damaged(path, f"optimiser's state of parameter {number} is not that parameter's")


def _damaged(path: Path, said: str) -> UserError:
    return UserError(f"{path}: damaged checkpoint ({reason(said)}); start anew with --fresh, or use another output folder")


def _metadata(path: Path) -> dict[str, Any]:
    check_size(path, MAX_BYTES)
    try:
        with safe_open(str(path), framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("codesign", "{}"))
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a checkpoint ({reason(error, 160)}); start anew with --fresh") from None
    if not isinstance(meta, dict) or meta.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a checkpoint of this program; start anew with --fresh")
    return meta
