# SPDX-License-Identifier: Apache-2.0
"""An ONNX model as plain data: operators in order, constants, shapes. Nothing here needs onnx."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Unsupported(Exception):
    """One operator cannot be imported: the ``rule`` it breaks, the ``remedy``, and the operator ``blamed``, by name, if it is
    not the one at hand."""

    def __init__(self, rule: str, remedy: str, blamed: str = ""):
        super().__init__(f"{rule}; {remedy}")
        self.rule, self.remedy, self.blamed = rule, remedy, blamed


@dataclass(frozen=True)
class Operator:
    """One node: ``inputs`` with "" for those left out, ``attributes`` as Python values, text and NumPy arrays."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ConstantCodes:
    """A constant behind a quantiser: real = scale · (codes − zero); ``scale`` and ``zero`` broadcast against ``codes``."""

    codes: np.ndarray
    scale: np.ndarray
    zero: np.ndarray

    def transposed(self, axes: list[int] | None) -> ConstantCodes:
        """The same constant with its axes in another order."""
        rank = self.codes.ndim
        wide = (v.reshape((1,) * (rank - v.ndim) + v.shape) for v in (self.scale, self.zero))
        return ConstantCodes(self.codes.transpose(axes), *(v.transpose(axes) for v in wide))


@dataclass(frozen=True, eq=False)
class Model:
    """``constants`` by tensor name, those behind a quantiser in ``codes`` too; ``shapes`` of all tensors that are known;
    ``kinds`` NumPy type names of the inputs. ``folded`` are the names of operators that became constants. ``producer`` and
    ``about`` (JSON, of a detector) are what the file says about itself."""

    opset: int
    operators: tuple[Operator, ...]
    constants: dict[str, np.ndarray]
    codes: dict[str, ConstantCodes]
    shapes: dict[str, tuple[int, ...]]
    inputs: dict[str, tuple[int, ...]]
    kinds: dict[str, str]
    outputs: tuple[str, ...]
    folded: tuple[str, ...] = ()
    producer: str = ""
    about: str = ""
