# SPDX-License-Identifier: Apache-2.0
"""Hyper-parameters of one training run, frozen and JSON-serialisable."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from codesign.bounded import check_range, shown_value
from codesign.data.augment import Augment
from codesign.data.fit import STRETCH, checked_fit
from codesign.errors import UserError

MAX_THREADS = 256
_EPOCHS, _BATCH = (0, 100_000), (1, 4096)
_RANGES: dict[str, tuple[float, float]] = {  # least and most, both allowed; whole numbers where the least is one
    "pretrain_epochs": _EPOCHS, "float_epochs": _EPOCHS, "qat_epochs": _EPOCHS,
    "pretrain_batch": _BATCH, "batch": _BATCH, "qat_batch": _BATCH, "calibration_batches": (1, 4096),
    "warmup_steps": (0, 10**9), "seed": (0, 2**31 - 1), "threads": (1, MAX_THREADS),
    "offset_lr": (0.0, 1e3), "weight_decay": (0.0, 1e3), "clip": (0.0, 1e9), "freeze_bn": (0.0, 1.0), "save_seconds": (0.0, 1e9),
    "size_weight": (0.0, 1e6), "iou_weight": (0.0, 1e6), "distil": (0.0, 1e6),
    "annotations": (0.0, 1e6),
}  # fmt: skip
_MOST_RATE = 1e3
SCHEDULES = ("cosine", "step")
CALIBRATIONS = ("mse", "percentile")  # as `codesign.nn.ranges` knows them
# what may change between two parts of one run
FREE = ("float_epochs", "qat_epochs", "threads", "device", "save_seconds")


@dataclass(frozen=True)
class Recipe:
    """Backbone warm-up on object crops, float stage, quantisation-aware stage; AdamW, warm-up, cosine decay."""

    pretrain_epochs: int = 10
    pretrain_batch: int = 64
    float_epochs: int = 14
    qat_epochs: int = 5
    batch: int = 8
    qat_batch: int = 16
    lr: float = 2e-3
    qat_lr: float = 5e-4
    offset_lr: float = 0.1  # of the stage's rate, for offset convolutions, as deformable networks usually have it
    weight_decay: float = 1e-4  # not on BN, biases and activation ranges
    schedule: str = "cosine"  # or "step": a tenth after 50/90 and 70/90 of a stage
    warmup_steps: int = 100
    clip: float = 10.0
    ema: float = 0.997
    size_weight: float = 0.1
    iou_weight: float = 0.0  # of 1 - GIoU at object centres
    bf16: bool = True  # autocast in the float stage; the quantised stage runs in float32, as deployed
    freeze_bn: float = 0.3  # last share of the quantised stage with BN on running statistics, as deployed
    distil: float = 0.0  # weight of matching the float network's heads in the quantised stage
    annotations: float = 1.0  # weight of the annotations beside it; 0: the float network alone is followed
    equalise: bool = False  # scale channels so that each fills its tensor's range, before calibration
    calibration: str = "mse"  # activation ranges to start the quantised stage from; or "percentile"
    calibration_batches: int = 8
    seed: int = 1
    threads: int = 1
    device: str = "cpu"  # or "cuda", "cuda:1"; "auto": the GPU if there is one
    save_seconds: float = 300.0  # between two checkpoints inside an epoch
    fit: str = STRETCH  # or "letterbox": how pictures are brought to the network's size, here and wherever the model runs
    augment: Augment = Augment()

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            check_range(f"recipe: {name}", getattr(self, name), least, most)
        if self.epochs < 1:
            raise UserError("recipe: float_epochs and qat_epochs are both 0; one of them must be at least 1")
        if self.qat_epochs and not self.annotations + self.distil:
            raise UserError("recipe: annotations and distil are both 0; the quantised stage needs one of them")
        for name in ("lr", "qat_lr"):
            if type(value := getattr(self, name)) not in (int, float) or not 0 < value <= _MOST_RATE:
                raise UserError(f"recipe: {name} is {shown_value(value)}; it must be positive, at most {_MOST_RATE:g}")
        checked_fit(self.fit, "recipe: fit")
        if self.schedule not in SCHEDULES:
            raise UserError(f"recipe: schedule is {self.schedule!r}; it must be one of {', '.join(SCHEDULES)}")
        if self.calibration not in CALIBRATIONS:
            raise UserError(f"recipe: calibration is {self.calibration!r}; it must be one of {', '.join(CALIBRATIONS)}")
        if type(self.ema) not in (int, float) or not 0 <= self.ema < 1:
            raise UserError(f"recipe: ema is {shown_value(self.ema)}; it must be at least 0 and less than 1")

    @property
    def epochs(self) -> int:
        """All epochs, float then quantised."""
        return self.float_epochs + self.qat_epochs

    def identity(self) -> dict[str, object]:
        """What makes two runs the same run."""
        return {key: value for key, value in self.to_json().items() if key not in FREE}

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, object]) -> Recipe:
        """The inverse of `to_json`."""
        known = {f.name for f in fields(Recipe)}
        if not isinstance(values, dict) or set(values) - known:
            raise UserError("recipe: unknown field or not a JSON object")
        plain = dict(values)
        if isinstance(plain.get("augment"), dict):
            aug = dict(plain["augment"])  # type: ignore[call-overload]
            aug["scale"] = tuple(aug["scale"])
            plain["augment"] = Augment(**aug)
        return Recipe(**plain)  # type: ignore[arg-type]
