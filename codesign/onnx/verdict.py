# SPDX-License-Identifier: Apache-2.0
"""What is said of each operator of a model."""

from __future__ import annotations

from dataclasses import dataclass

SUPPORTED = "supported"
GOLDEN = "golden only"  #: imported and exact on the golden model; the accelerator does not execute it
UNSUPPORTED = "not supported"
UNCLEAR = "unclear"  #: it depends on one that is not supported


@dataclass(frozen=True)
class Verdict:
    """``name`` and ``kind`` are the ONNX operator's; ``note`` what becomes of it. Where it is not supported, ``rule`` says why
    and ``remedy`` what to write instead."""

    name: str
    kind: str
    status: str
    note: str = ""
    rule: str = ""
    remedy: str = ""

    @property
    def problem(self) -> str:
        """One line."""
        return f"{self.kind} {self.name!r}: {self.rule}; {self.remedy}"
