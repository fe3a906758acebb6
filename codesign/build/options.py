# SPDX-License-Identifier: Apache-2.0
"""What a build is asked for, checked before anything is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import UserError
from codesign.nn.layer_bits import LayerBits, checked, layer_names
from codesign.nn.zoo import ZOO

CONFIGS = ("a", "b", "c", "d", "e", "t", *ZOO)
FORMS = ("square", "pairs")
BACKENDS = ("amaranth", "hls4ml", "both")
LARGEST_SIDE = 2048
MODELS = Path(__file__).resolve().parents[1] / "models"
SHIPPED_MODEL = MODELS / "digits-b-w4a8.safetensors"
SHIPPED = {"b": SHIPPED_MODEL, "t": MODELS / "digits-t-w4a8.safetensors"}  # by configuration


@dataclass(frozen=True)
class BuildOptions:
    """Arguments of `codesign build`. What is None has the network's own default; wrong values raise `UserError`.

    With ``model`` None and nothing else that shapes the network given, configurations b and t are the shipped
    trained models; any other choice is a network with calibrated random weights.
    """

    board: str
    config: str = "b"
    model: Path | None = None
    image: Path | None = None
    height: int | None = None
    width: int | None = None
    weight_bits: int | None = None
    form: str | None = None
    out: Path | None = None
    fresh: bool = False
    input: Path | None = None
    layer_bits: LayerBits = ()
    backend: str = "amaranth"

    def __post_init__(self) -> None:
        if self.config not in CONFIGS:
            raise UserError(f"unknown configuration {self.config!r}; it must be one of {', '.join(CONFIGS)}")
        for name, side in (("height", self.height), ("width", self.width)):
            if side is not None and (side < 32 or side % 32 or side > LARGEST_SIDE):
                raise UserError(f"--{name} {side}: must be a multiple of 32, 32 to {LARGEST_SIDE}")
        if self.backend not in BACKENDS:
            raise UserError(f"--backend {self.backend!r}: must be one of {', '.join(BACKENDS)}")
        if self.weight_bits not in (None, 4, 8):
            raise UserError(f"--weight-bits {self.weight_bits}: must be 4 or 8")
        if self.form not in (None, *FORMS):
            raise UserError(f"--form {self.form!r}: must be one of {', '.join(FORMS)}")
        for name, path in (("model", self.model), ("image", self.image), ("input", self.input)):
            if path is not None and not path.is_file():
                raise UserError(f"--{name} {path}: no such file")
        checked(self.layer_bits, layer_names())
        if self.layer_bits and self.config in ZOO:
            raise UserError(f"--layer-bits names layers of configurations a to e, {self.config} has none of them; leave it out")
        if self.model is not None and (self.weight_bits or self.form or self.layer_bits):
            raise UserError("--weight-bits, --layer-bits and --form are the model file's own; leave them out with --model")

        if self.image is not None and self.input is not None:
            raise UserError("--image and --input both say what to run; leave one of them out")
        if self.onnx_model is not None and (self.height or self.width):
            raise UserError("--height and --width: an ONNX model has the size it was exported with; leave them out")

    @property
    def onnx_model(self) -> Path | None:
        """The model file, if it is ONNX."""
        return self.model if self.model is not None and self.model.suffix.lower() == ".onnx" else None

    @property
    def title(self) -> str:
        """What is built, in a few words."""
        return f"configuration {self.config}" if self.onnx_model is None else f"ONNX model {self.onnx_model.name}"

    @property
    def trained_model(self) -> Path | None:
        """The model file to lower, or None for calibrated random weights."""
        if self.model is not None:
            return self.model
        shaped = self.weight_bits or self.layer_bits or self.form or self.height or self.width
        shipped = None if shaped else SHIPPED.get(self.config)
        return shipped if shipped is not None and shipped.is_file() else None

    def folder(self, board: str) -> Path:
        """Where the build's artefacts go."""
        named = self.config if self.onnx_model is None else re.sub(r"[^\w.-]+", "_", self.onnx_model.stem)
        suffix = "" if self.backend == "amaranth" else f"-{self.backend}"
        return self.out if self.out is not None else Path("build") / f"{board}-{named}{suffix}"
