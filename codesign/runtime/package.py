# SPDX-License-Identifier: Apache-2.0
"""A deployment zip, verified and taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.runtime.archive import read_archive
from codesign.runtime.description import Description, parse
from codesign.runtime.faults import PackageError

DESCRIPTION, PROGRAM, WEIGHTS, LABELS = "detector.json", "program.bin", "weights.bin", "labels.txt"
OVERLAY = "overlay/codesign"  #: with .bit and .hwh behind it
INSTRUCTION_BYTES = 64


@dataclass(frozen=True)
class Package:
    """``program`` and ``weights`` as they lie in memory, and what describes them; ``files`` is everything, by name."""

    description: Description
    program: bytes
    weights: bytes
    files: dict[str, bytes]

    @classmethod
    def read(cls, path: str) -> Package:
        """The package at ``path``. Raises `PackageError` unless every byte is as it was written and makes sense."""
        files = read_archive(path)
        for name in (DESCRIPTION, PROGRAM, WEIGHTS):
            if name not in files:
                raise PackageError(f"{path} holds no {name}; make it with `codesign package`")
        description, program, weights = parse(files[DESCRIPTION]), files[PROGRAM], files[WEIGHTS]
        if len(program) != INSTRUCTION_BYTES * description.instructions or len(program) > description.weights_address:
            raise PackageError(f"{path}: {PROGRAM} has {len(program)} bytes; another number of instructions is described; make the package again")
        if description.weights_address + len(weights) > description.memory_bytes:
            raise PackageError(f"{path}: {WEIGHTS} does not fit the memory described; make the package again")
        return cls(description, program, weights, files)
