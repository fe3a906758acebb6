# SPDX-License-Identifier: Apache-2.0
"""The CoDeNet family as data: one frozen dataclass, and the five published configurations a-e."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from codesign.errors import UserError

STAGE_UNITS = (4, 8, 4)  # ShuffleNetV2: one stride-2 unit, then stride-1 units
_WIDTHS = {0.5: (48, 96, 192, 1024), 1.0: (116, 232, 464, 1024), 2.0: (244, 488, 976, 2153)}

_CHOICES = {
    "stem": ("s4", "s2max"),
    "operator": ("plain", "pairs", "square"),
    "rounding": ("integer", "bilinear"),
    "weight_bits": (4, 8),
}


@dataclass(frozen=True)
class NetConfig:
    """One network. `bound` is N, the largest distance or offset; None leaves nine-pair offsets unbounded (float only).

    `deform_first` is the deployed order of a decoder block (offset, deformable on Cin, 1x1); False is the paper's
    figure (1x1 first, deformable on Cout). Source: arXiv 2006.08357 and the authors' public repositories.
    """

    width: float = 1.0  # ShuffleNetV2 width multiplier
    input_size: tuple[int, int] = (256, 256)  # height, width in pixels; multiples of 32
    stem: str = "s2max"
    operator: str = "square"
    bound: int | None = 7
    rounding: str = "integer"
    deform_first: bool = True
    classes: int = 20
    weight_bits: int = 4
    stem_bits: int = 8
    stem_channels: int = 24
    decoder: tuple[int, int, int] = (256, 128, 64)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UserError(f"network config: {name} is {getattr(self, name)!r}; it must be one of {allowed}")
        if len(self.input_size) != 2 or any(s < 32 or s % 32 for s in self.input_size):
            raise UserError(f"network config: input sides {self.input_size} must be positive multiples of 32")
        if not 1 <= self.classes <= 1000:
            raise UserError(f"network config: {self.classes} classes; it must be 1 to 1000")
        if not 0.05 <= self.width <= 4:
            raise UserError(f"network config: width {self.width} must be between 0.05 and 4")
        if self.bound is None and (self.operator == "square" or self.rounding == "integer"):
            raise UserError("network config: only bilinear nine-pair offsets may be unbounded")
        if self.bound is not None and not 0 <= self.bound <= 127:
            raise UserError(f"network config: bound {self.bound} must be 0 to 127")
        if len(self.decoder) != 3 or min(self.decoder) < 1 or not 1 <= self.stem_channels <= 1024:
            raise UserError("network config: decoder takes three positive widths, the stem one")

    @property
    def stage_channels(self) -> tuple[int, int, int, int]:
        """Output channels of the three stages and of the last 1x1 convolution."""
        if self.width in _WIDTHS:
            return _WIDTHS[self.width]
        first = 2 * max(1, round(58 * self.width))
        return first, 2 * first, 4 * first, max(32, round(1024 * min(1.0, self.width)))

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the head maps (stride 4)."""
        return self.input_size[0] // 4, self.input_size[1] // 4

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, object]) -> NetConfig:
        """The inverse of `to_json`; unknown or ill-typed fields are a `UserError`."""
        if not isinstance(values, dict):
            raise UserError("network config: not a JSON object")
        known = {f.name for f in fields(NetConfig)}
        if set(values) - known:
            raise UserError(f"network config: unknown field {sorted(set(values) - known)[0]!r}")
        try:
            return NetConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # type: ignore[arg-type]
        except TypeError as error:
            raise UserError(f"network config: {error}") from None


CONFIGS: dict[str, NetConfig] = {
    "a": NetConfig(stem="s4"),
    "b": NetConfig(stem="s2max"),
    "c": NetConfig(stem="s4", input_size=(512, 512)),
    "d": NetConfig(width=2.0, stem="s4", input_size=(512, 512)),
    "e": NetConfig(width=2.0, stem="s2max", input_size=(512, 512)),
}


def named_config(letter: str, **changes: object) -> NetConfig:
    """Configuration a-e, with fields replaced (for example `classes=10, weight_bits=8`)."""
    if letter not in CONFIGS:
        raise UserError(f"unknown configuration {letter!r}; it must be one of {', '.join(CONFIGS)}")
    return replace(CONFIGS[letter], **changes)  # type: ignore[arg-type]
