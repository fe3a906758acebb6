# SPDX-License-Identifier: Apache-2.0
"""What nextpnr calls an ECP5 part."""

from __future__ import annotations

import re

from codesign.errors import UserError

#: LFE5U-85F-6BG381C: size, speed grade, package. Ordering information in Lattice FPGA-DS-02012.
_PART = re.compile(r"LFE5(UM5G|UM|U)-(12|25|45|85)F-([678])(BG|MG)(\d{3})[CI]")
_PACKAGES = {"BG": "CABGA", "MG": "CSFBGA"}


def nextpnr_options(part: str) -> tuple[str, ...]:
    """Device, package and speed of a part, as nextpnr-ecp5 takes them. Raises `UserError` for what is no ECP5 part."""
    found = _PART.fullmatch(part)
    if found is None:
        raise UserError(f"device.part = {part[:40]!r}: must be an ECP5 ordering code such as LFE5U-85F-6BG381C")
    family, size, speed, package, balls = found.groups()
    kind = {"U": "", "UM": "um-", "UM5G": "um5g-"}[family]
    return (f"--{kind}{size}k", "--package", f"{_PACKAGES[package]}{balls}", "--speed", speed)
