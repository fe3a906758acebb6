# SPDX-License-Identifier: Apache-2.0
"""The CoDeNet family as data: one frozen dataclass, the five published configurations a-e, and a tiny one, t."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from codesign.errors import UserError
from codesign.nn.layer_bits import LayerBits, bits_of, checked, layer_names

MAX_LABEL = 100  # characters of a class name
_WIDTHS = {0.5: (48, 96, 192, 1024), 1.0: (116, 232, 464, 1024), 2.0: (244, 488, 976, 2153)}

_CHOICES = {
    "stem": ("s4", "s2max"),
    "operator": ("plain", "pairs", "square"),
    "rounding": ("integer", "bilinear"),
    "kernel": (3, 5, 7),
    "weight_bits": (4, 8),
    "stem_bits": (4, 8),
}
_RANGES = {"classes": (1, 1000), "bound": (0, 127), "stem_channels": (1, 1024)}
_SIDES = (32, 2048)  # of an input
_WIDTH = (0.05, 4)
_DECODER = (1, 1024)


@dataclass(frozen=True)
class NetConfig:
    """One network. `bound` is N, the largest distance or offset; None leaves nine-pair offsets unbounded (float only).

    `deform_first` is the deployed order of a decoder block (offset, deformable on Cin, 1x1); False is the paper's
    figure (1x1 first, deformable on Cout). `layer_bits` gives single layers other weight bits than `weight_bits` and
    `stem_bits` do: see `codesign.nn.layer_bits`. Source: arXiv 2006.08357 and the authors' public repositories.
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
    layer_bits: LayerBits = ()
    kernel: int = 3  # side of the decoder's plain depthwise kernels; deformable ones have nine taps

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            _require(value in allowed and type(value) is type(allowed[0]), name, value, f"must be one of {allowed}")
        for name, span in _RANGES.items():
            value = getattr(self, name)
            free = name == "bound" and value is None
            _require(free or _whole(value, span), name, value, f"must be a whole number, {span[0]} to {span[1]}")
        _require(_sequence(self.input_size, 2, _SIDES) and not any(s % 32 for s in self.input_size),
                 "input_size", self.input_size, f"must be two multiples of 32, {_SIDES[0]} to {_SIDES[1]}")  # fmt: skip
        _require(_sequence(self.decoder, 3, _DECODER), "decoder", self.decoder,
                 f"must be three whole numbers, {_DECODER[0]} to {_DECODER[1]}")  # fmt: skip
        _require(type(self.width) in (int, float) and _WIDTH[0] <= self.width <= _WIDTH[1], "width", self.width,
                 f"must be a number, {_WIDTH[0]} to {_WIDTH[1]}")  # fmt: skip
        _require(type(self.deform_first) is bool, "deform_first", self.deform_first, "must be true or false")
        if self.bound is None and (self.operator == "square" or self.rounding == "integer"):
            raise UserError("network config: only bilinear nine-pair offsets may be unbounded")
        object.__setattr__(self, "layer_bits", checked(self.layer_bits, self.layers))
        if self.kernel != 3 and self.operator != "plain":
            raise UserError(f"network config: kernel is {self.kernel}; only operator 'plain' may have another than 3")

    @property
    def stage_channels(self) -> tuple[int, int, int, int]:
        """Output channels of the three stages and of the last 1x1 convolution."""
        if self.width in _WIDTHS:
            return _WIDTHS[self.width]
        first = 2 * max(1, round(58 * self.width))
        return first, 2 * first, 4 * first, max(32, round(1024 * min(1.0, self.width)))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all convolutions, in execution order."""
        return layer_names(offsets=self.operator != "plain")

    def bits(self, layer: str) -> int:
        """Weight bits of the layer of this name."""
        return bits_of(layer, self.layer_bits, self.stem_bits if layer == "stem" else self.weight_bits)

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
            raise UserError(f"network config: unknown field {min(set(values) - known)[:60]!r}; copy or train the model again")
        try:
            return NetConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})  # type: ignore[arg-type]
        except TypeError as error:
            raise UserError(f"network config: {error}") from None


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        shown = repr(value)
        raise UserError(f"network config: {name} is {shown if len(shown) <= 60 else shown[:57] + '...'}; it {rule}")


def _whole(value: object, span: tuple[int, int]) -> bool:
    return type(value) is int and span[0] <= value <= span[1]


def _sequence(value: object, length: int, span: tuple[int, int]) -> bool:
    return isinstance(value, tuple) and len(value) == length and all(_whole(v, span) for v in value)


def valid_label(label: object) -> bool:
    """Whether this can name a class: printable text of 1 to 100 characters."""
    return isinstance(label, str) and 0 < len(label) <= MAX_LABEL and label.isprintable()


CONFIGS: dict[str, NetConfig] = {
    "a": NetConfig(stem="s4"),
    "b": NetConfig(stem="s2max"),
    "c": NetConfig(stem="s4", input_size=(512, 512)),
    "d": NetConfig(width=2.0, stem="s4", input_size=(512, 512)),
    "e": NetConfig(width=2.0, stem="s2max", input_size=(512, 512)),
    # tiny: every weight fits on chip, as a design with hardware for each layer needs it
    "t": NetConfig(width=0.25, stem="s2max", input_size=(64, 64), stem_channels=16, decoder=(64, 32, 32)),
}


def named_config(letter: str, **changes: object) -> NetConfig:
    """Configuration a-e or t, with fields replaced (for example `classes=10, weight_bits=8`)."""
    if letter not in CONFIGS:
        raise UserError(f"unknown configuration {letter!r}; it must be one of {', '.join(CONFIGS)}")
    return replace(CONFIGS[letter], **changes)  # type: ignore[arg-type]
