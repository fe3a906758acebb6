# SPDX-License-Identifier: Apache-2.0
"""Every cycle of every engine has a name, per layer and over the frame, and the names add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesign.graph.ir import Conv
from codesign.program.isa import Opcode
from codesign.program.program import Instruction
from codesign.report.layers import layers, pointwise_macs
from codesign.report.shares import BUSY, CAUSES, KINDS, REST, make_shares
from codesign.report.table import cycle_lines, engine_cycles
from codesign.report.work import issue_cycles, works


def test_causes_add_up_to_the_frame(profiled):
    for kind, causes in engine_cycles(profiled.shares).items():
        assert sum(causes[cause] for cause in CAUSES) == causes["total"]
        assert causes["total"] == profiled.trace["cycles"] * profiled.shares.units[kind], kind
        assert min(causes.values()) >= 0


def test_busy_is_what_the_counters_counted(profiled):
    for engine, row in enumerate(profiled.trace["engines"]):
        issued = sum(work.issue for work in profiled.shares.works if work.engine == engine)
        assert issued == row["counters"]["busy"], row["name"]
    for kind in KINDS:
        assert profiled.shares.layers[kind][REST].busy == 0


def test_useful_cycles_are_the_networks_own_products(profiled):
    useful = profiled.shares.engine("pointwise")["useful"]
    assert useful == pytest.approx(pointwise_macs(profiled.graph) / profiled.board.accelerator.array_macs, rel=0.001)


def test_stem_of_24_channels_and_27_inputs_pads_and_takes_two_passes(profiled):
    stem = next(node for node in profiled.graph.nodes if node.name == "stem")
    pixels = profiled.graph.tensors["stem"].values // 24
    cycles = profiled.shares.layers["pointwise"]["stem"].cycles
    assert isinstance(stem, Conv) and stem.weight_bits == 8
    assert cycles["useful"] == cycles["second_pass"] == round(pixels * 24 * 27 / 512)
    # two groups of 16 outputs, two passes each
    assert sum(cycles[cause] for cause in BUSY) - cycles["recomputed"] == pixels * 4
    assert cycles["padding"] == pixels * 4 - 2 * cycles["useful"]


def test_rows_written_twice_are_recomputed(profiled):
    program = profiled.plan.program
    once = next(i for i in program.instructions if i.node == "hm.first" and i.written)
    rows = works(replace(program, instructions=(once, once)))
    assert [row.repeated for row in rows] == [0, rows[0].issue]


def test_parts_of_a_sum_are_recomputed_with_their_last(profiled):
    """A part that writes nothing, then one that writes the first of its rows: twice."""
    program = profiled.plan.program
    whole = next(i for i in program.instructions if i.node == "hm.first" and i.written)
    rows = whole.written.rows
    part = replace(whole, values={**whole.values, "first": 1, "last": 0}, written=None)
    row = replace(whole, values={**whole.values, "first": 0, "rows": 1}, written=replace(whole.written, rows=1))
    found = works(replace(program, instructions=(part, row, part, row)))
    assert [work.repeated for work in found] == [0, 0, found[0].issue // rows, found[1].issue]


def test_layers_name_their_stalls(profiled):
    rows = layers(profiled.graph, profiled.trace, profiled.shares)
    assert {row["name"] for row in rows} >= {"stem", "stem.pool", "decoder1.depthwise", "hm.last"}
    for row in rows:
        stalls = row["stalls"]
        assert stalls["memory"] == stalls["dram"] + stalls["bank"]
        assert {"token", "param", "drain", "padding", "second_pass", "recomputed"} <= set(stalls)
        assert all(cycles >= 0 for cycles in stalls.values())
    read = sum(row["dram_read_bytes"] for row in rows)
    loaded = sum(i.values["rows"] * i.values["row_words"] * 32 for i in profiled.plan.program.instructions if i.opcode == 2)
    assert read > loaded > 0


def test_unknown_busy_cycles_still_add_up(profiled):
    """Counters of an accelerator that issues otherwise than the program says."""
    engines = [dict(engine) for engine in profiled.trace["engines"]]
    counters = engines[2]["counters"]
    engines[2]["counters"] = {**counters, "busy": counters["busy"] + 100, "idle": counters["idle"] - 100}
    shares = make_shares(profiled.graph, profiled.plan.program, {**profiled.trace, "engines": engines})
    assert sum(shares.engine("pointwise").values()) == profiled.trace["cycles"]


def test_table_has_a_line_per_cause(profiled):
    lines = cycle_lines(engine_cycles(profiled.shares), profiled.shares.total)
    assert len(lines) == len(CAUSES) + 2
    assert f"{profiled.shares.total:,} 100.0%" in lines[-1]


def test_taps_of_a_windows_row_come_together(profiled):
    """In a cycle where they lie in one word of 8 pixels, in two where they lie in two; one by one in other shapes."""
    config = profiled.board.accelerator
    values = {"engine": 3, "mode": 2, "rows": 2, "cols": 4, "kh": 3, "kw": 3, "x0": -1, "stride": 2, "in_w": 8}
    window = Instruction(Opcode.DEPTHWISE, values, "stem")
    assert issue_cycles(window, config) == 2 * 3 * (2 + 1 + 1 + 1)
    for other in ({"stride": 1}, {"x0": 0}, {"in_w": 12}, {"up": 1}):
        assert issue_cycles(replace(window, values={**values, **other}), config) == 2 * 3 * 3 * 4
