# SPDX-License-Identifier: Apache-2.0
"""The timeline opens in a trace viewer; the charts are pictures, the same for the same frame."""

from __future__ import annotations

import json

from PIL import Image

from codesign.report.charts import save
from codesign.report.roofline import points, roofline
from codesign.report.timeline import timeline
from codesign.report.waterline import waterline


def test_timeline_has_a_row_per_engine_and_an_event_per_instruction(profiled):
    document = json.loads(json.dumps(timeline(profiled.trace, profiled.shares.works, "title")))
    named = {e["tid"]: e["args"]["name"] for e in document["traceEvents"] if e["name"] == "thread_name"}
    assert list(named.values()) == [engine["name"] for engine in profiled.trace["engines"]]
    events = [e for e in document["traceEvents"] if e["ph"] == "X"]
    assert len(events) == len(profiled.plan.program.instructions) - 1  # all but HALT
    assert {"stem", "hm.last"} <= {e["name"] for e in events}
    assert all(e["args"]["busy"] <= e["dur"] for e in events)
    assert any("waits for tokens" in e["args"] for e in events)


def test_events_of_an_engine_do_not_overlap(profiled):
    """Although it accepts an instruction while the one before is still at work."""
    engines = [dict(engine) for engine in profiled.trace["engines"]]
    columns = profiled.trace["columns"]
    start = columns.index("start")
    engines[2]["events"] = [[*e[:start], max(0, e[start] - 50), *e[start + 1 :]] for e in engines[2]["events"]]
    document = timeline({**profiled.trace, "engines": engines}, profiled.shares.works, "title")
    mine = [e for e in document["traceEvents"] if e["ph"] == "X" and e["tid"] == 2]
    assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in zip(mine, mine[1:]))


def test_no_layer_is_above_the_roof(profiled):
    config = profiled.board.accelerator
    found = points(profiled.shares)
    assert {point.kind for point in found} == {"pointwise", "depthwise"}
    for point in found:
        assert 0 < point.speed <= (config.array_macs if point.kind == "pointwise" else config.depthwise_macs)
        assert point.intensity > 0


def test_charts_are_written_as_png_and_svg(profiled, tmp_path):
    for name, drawn in (
        ("waterline", waterline(profiled.shares, "cycles")),
        ("roofline", roofline(profiled.shares, profiled.board, "roofline")),
    ):
        save(drawn, tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 1000
        assert "pointwise" in (tmp_path / f"{name}.svg").read_text()


def test_charts_of_a_frame_are_the_same_bytes(profiled, tmp_path):
    for name in ("one", "two"):
        save(roofline(profiled.shares, profiled.board, "roofline"), tmp_path / f"{name}.png")
    for kind in ("png", "svg"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
