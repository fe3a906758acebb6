# SPDX-License-Identifier: Apache-2.0
"""A point built in RTL: cycles measured again, every value compared, resources from synthesis; beside them the estimates' errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codesign.errors import UserError


def checked(subject: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    """The design of ``subject`` as `codesign build` makes it, in the folder ``files["out"]``."""
    from codesign.build import BuildOptions, build
    from codesign.build.steps import all_steps

    options = BuildOptions(subject["design"], subject["config"], Path(files["graph"]), out=Path(files["out"]))
    left_out = {"bitstream"} if subject["synthesis"] else {"bitstream", "synthesise"}
    result = build(options, steps=[step for step in all_steps() if step.name not in left_out])
    report = json.loads((result.folder / "report.json").read_text())
    failed = next((step for step in result.steps if step.status == "failed" and step.name != "simulate"), None)
    if failed is not None:
        raise UserError(f"{failed.name}: {failed.reason}")
    resources = report["resources"]
    return {
        "cycles": report["cycles"]["total"], "values": report["bit_exact"]["values"], "mismatches": report["bit_exact"]["mismatches"],
        "read_bytes": report["dram"]["read_bytes"], "write_bytes": report["dram"]["write_bytes"],
        "resources": {name: resources[name] for name in ("lut", "ff", "dsp", "bram36")} | {"fits": resources["fits"]} if resources else None,
        "reason": "" if resources else next((s.reason for s in result.steps if s.name == "synthesise"), "not asked for"),
    }  # fmt: skip


def beside(point: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The point with what RTL says, and ``errors``: (estimate - RTL) / RTL of cycles, DRAM bytes and resources."""
    measured = {"cycles": found["cycles"], "dram_bytes": found["read_bytes"] + found["write_bytes"], **(found["resources"] or {})}
    errors = {
        name: (point[name] - measured[name]) / measured[name]
        for name in ("cycles", "dram_bytes", "lut", "ff", "dsp", "bram36")
        if measured.get(name)
    }
    cycles = found["cycles"]
    rtl = measured | {"values": found["values"], "mismatches": found["mismatches"], "errors": errors}
    return point | {"fidelity": "rtl", "rtl": rtl, "latency_ms": cycles / point["clock_mhz"] / 1e3, "fps": point["clock_mhz"] * 1e6 / cycles}
