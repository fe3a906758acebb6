# SPDX-License-Identifier: Apache-2.0
"""The page of a sweep: the front, what was checked in RTL, and how good the estimates are."""

from __future__ import annotations

from html import escape
from typing import Any

from codesign.boards import load_board
from codesign.report.html.page import Section, code, page, table, tiles
from codesign.report.html.pareto_chart import pareto
from codesign.report.html.provenance import provenance
from codesign.report.html.resource_chart import resources
from codesign.sweep.recommend import build_command
from codesign.sweep.store import Store

ROWS = 60  #: of a table


def sweep_page(store: Store, text: str = "") -> str:
    """``text``: the sweep file, as it was read."""
    about = store.about("sweep") or {"name": "sweep", "seed": 0, "file": ""}
    points, searches, networks = store.points(), store.about("searches") or [], store.about("networks") or {}
    front = sorted((p for p in points if p["front"]), key=lambda p: (p["board"], p["latency_ms"]))
    boards = list(dict.fromkeys(p["board"] for p in points))
    charts = "".join(_chart(points, board, len(boards) > 1) for board in boards)
    sections = [
        Section("Accuracy and latency" if any(p["ap50"] is not None for p in points) else "Latency and size", charts),
        Section("The front", _front(front)),
        Section("Checked in RTL", _checked(front)),
        Section("How good the estimates are", _errors(searches)),
        Section("Resources of the fastest design against each board", _resources(front)),
        Section("Networks", _networks(networks) if len(networks) > 1 else ""),
        Section("Build the fastest", code(build_command(store, _fastest(front))) if front else ""),
        Section("The sweep file", code(text) if text else ""),
        *provenance(f"codesign sweep {about['file']}", [(f"graph {name}", found["sha256"]) for name, found in networks.items()]),
    ]
    lead = f'<p class="soft">Objectives: {escape(", ".join(store.about("objectives") or []))}. Seed {about["seed"]}. Cycles by the latency model unless RTL is said; resources are estimates. Nothing was measured on hardware.</p>'
    return page(f"codesign sweep: {about['name']}", lead + _tiles(points, front, networks, searches), sections)


def _tiles(points: list[dict[str, Any]], front: list[dict[str, Any]], networks: dict[str, Any], searches: list[dict[str, Any]]) -> str:
    rows = [(f"{len(points):,}", "designs that fit", ""), (f"{len(networks)}", "networks", ""), (f"{len(front)}", "on the front", "")]
    rows.append((f"{sum(s['planned'] for s in searches):,}", "planned in full", ""))
    if front:
        fastest = _fastest(front)
        rows.append((f"{fastest['latency_ms']:.2f} ms", f"fastest, {fastest['fps']:.1f} frames/s", "good"))
    return tiles(rows)


def _chart(points: list[dict[str, Any]], board: str, several: bool) -> str:
    drawn = pareto([p for p in points if p["board"] == board], f"pareto {board}")
    return f"<h3>{escape(board)}</h3>{drawn}" if several and drawn else drawn


def _front(front: list[dict[str, Any]]) -> str:
    several = len({p["network"] for p in front}) > 1
    heads = ("ms", "frames/s", "AP50", "LUT", "FF", "DSP", "block RAM", "DRAM MB", "energy uJ", "cycles by", "design and network")
    rows = [
        (f"{p['latency_ms']:.3f}", f"{p['fps']:.1f}", "-" if p["ap50"] is None else f"{p['ap50']:.4f}", f"{p['lut']:,}", f"{p['ff']:,}", p["dsp"], p["bram36"],
         f"{p['dram_bytes'] / 1e6:.2f}", f"{p['energy_uj']:,.0f}", "RTL" if p["fidelity"] == "rtl" else "model", _named(p, several))
        for p in front[:ROWS]
    ]  # fmt: skip
    more = f"<p class='soft'>{len(front) - ROWS} more in the data base.</p>" if len(front) > ROWS else ""
    return table(heads, rows, (10,)) + more if rows else ""


def _fastest(front: list[dict[str, Any]]) -> dict[str, Any]:
    """Of those that synthesis did not find too large, unless it found all so."""
    fitting = [point for point in front if (point.get("rtl") or {}).get("fits", True)]
    return min(fitting or front, key=lambda point: point["latency_ms"])


def _named(point: dict[str, Any], several: bool) -> str:
    """The design, and its network where there are several; it may be broken behind each comma."""
    return point["design"].replace(",", ", ").replace(":", ": ") + (f"; {point['network']}" if several else "")


def _checked(front: list[dict[str, Any]]) -> str:
    rows, several = [], len({p["network"] for p in front}) > 1
    for p in front:
        if p["fidelity"] != "rtl":
            continue
        rtl, errors = p["rtl"], p["rtl"]["errors"]
        cells = [_beside(rtl, errors, name) for name in ("cycles", "dram_bytes", "lut", "ff", "dsp", "bram36")]
        fits = {True: "yes", False: "no"}.get(rtl.get("fits"), "-")
        rows.append((f"{rtl['mismatches']:,} of {rtl['values']:,}", *cells, fits, _named(p, several)))
    heads = ("values that differ", "cycles", "DRAM MB", "LUT", "FF", "DSP", "block RAM", "fits", "design and network")
    said = "<p>Simulated cycles and Yosys' resources; in brackets the error of the estimate, where there is one.</p>"
    return said + table(heads, rows, (8,)) if rows else "<p>No point was built; give the sweep file [check] points = N.</p>"


def _beside(rtl: dict[str, Any], errors: dict[str, float], name: str) -> str:
    """What was measured, and the error of its estimate."""
    if name not in errors:
        return "-"
    shown = f"{rtl[name] / 1e6:.2f}" if name == "dram_bytes" else f"{rtl[name]:,}"
    return shown + (f" ({errors[name]:+.1%})" if round(errors[name], 3) else "")


def _errors(searches: list[dict[str, Any]]) -> str:
    from codesign.sweep.resources import left_out

    rows = [
        (s["network"], s["board"], f"{s['designs']:,}", s["planned"], s["planned_by_all"],
         "-" if s["screen_error"] is None else f"{s['screen_error']['cycles']:.1%}", "-" if s["screen_error"] is None else f"{s['screen_error']['dram_bytes']:.1%}")
        for s in searches
    ]  # fmt: skip
    errors = {name: max(abs(getattr(found, name) / sample.total[name] - 1) for sample, found in left_out()) for name in ("lut", "ff", "dsp", "bram36")}
    model = ", ".join(f"{name} {error:.1%}" for name, error in errors.items())
    said = (
        "<p>Designs that were not planned are estimated; the error is the root mean square against the planner's, each planned design left out in turn.</p>"
        f"<p>Resource model, greatest error on a synthesised configuration left out of the fit: {model}.</p>"
    )
    return said + table(("network", "board", "designs", "planned", "of them as built", "error, cycles", "error, DRAM"), rows)


def _resources(front: list[dict[str, Any]]) -> str:
    if not front:
        return ""
    first = _fastest(front)
    return resources(load_board(first["design"]), first.get("rtl") if "lut" in first.get("rtl", {}) else None)


def _networks(networks: dict[str, Any]) -> str:
    rows = [(name, "-" if n["ap50"] is None else f"{n['ap50']:.4f}", f"{n['macs'] / 1e6:,.1f}") for name, n in networks.items()]
    return table(("network", "AP50", "million MACs"), rows)
