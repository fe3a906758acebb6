# SPDX-License-Identifier: Apache-2.0
"""What the hls4ml back end adds to the report, and its figures where the accelerator was not built."""

from __future__ import annotations

from typing import Any

from codesign.build.step import Context


def hls_section(context: Context) -> dict[str, Any] | None:
    """``report["hls4ml"]``: null where that back end was not built. Cycles and memory are estimates of `hw.hls`."""
    project, csim, agree = context.fact("project"), context.fact("csim"), context.fact("agree")
    if not project:
        return None
    compared = ("images", "tensors", "values", "mismatches", "mismatches_by_tensor", "first_difference", "seconds")
    return {
        "csim": {key: csim[key] for key in compared} if csim else None,
        "estimated": {**project, "from": "the kernels' loops and memories; no tool has scheduled them"},
        "synthesised": context.fact("hls") or None,
        "da4ml": context.fact("da4ml") or None,
        "agreement": agree or None,
    }


def csim_bit_exact(context: Context) -> dict[str, Any]:
    """``report["bit_exact"]`` of a build without RTL: what the C simulation compared."""
    golden, csim = context.fact("golden"), context.fact("csim")
    return {
        "images": csim.get("images", 0),
        "tensors": csim.get("tensors", 0),
        "values": csim.get("values", 0),
        "mismatches": csim.get("mismatches"),
        "saturated_share": golden.get("saturated_share", {}),
        "distance_histogram": golden.get("distance_histogram", {}),
        "first_difference": csim.get("first_difference"),
    }
