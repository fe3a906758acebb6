# SPDX-License-Identifier: Apache-2.0
"""golden: every tensor of the frame in exact integers, and what its codes look like."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np

from codesign import golden
from codesign.build.artefacts import json_text, readable, write_whole
from codesign.build.step import DONE, GOLDEN, GRAPH, IMAGE, STATISTICS, Context, Outcome, Step
from codesign.graph.ir import Conv, DeformConv, Graph

_BEST = 5  # codes of a classifier that are printed


class GoldenStep(Step):
    name = "golden"
    outputs = (GOLDEN, STATISTICS)
    sources = ("codesign/golden", "codesign/graph", "codesign/numeric.py")

    def inputs(self, context: Context) -> dict[str, str]:
        return {GRAPH: context.hash(GRAPH), IMAGE: context.hash(IMAGE)}

    def run(self, context: Context) -> Outcome:
        values = golden.run(context.graph, context.codes)
        rows = [asdict(stats) for stats in golden.tensor_stats(context.graph, values)]
        packed = io.BytesIO()
        np.savez(packed, **values)
        write_whole(context.path(GOLDEN), packed.getvalue())
        write_whole(context.path(STATISTICS), json_text(rows))
        computed = {n.output for n in context.graph.nodes if isinstance(n, Conv | DeformConv)}
        facts: dict[str, Any] = {
            "values": sum(tensor.size for tensor in values.values()),
            "saturated_share": {row["name"]: row["saturated_share"] for row in rows},
            "distance_histogram": {row["name"]: row["distances"] for row in rows if row["distances"]},
            "top_share": max((row["top_share"] for row in rows if row["name"] in computed), default=0.0),
            "top_codes": top_codes(context.graph, values),
        }
        return Outcome(DONE, f"{len(values)} tensors, {facts['values']:,} values", facts)

    def show(self, context: Context, facts: dict[str, Any]) -> None:
        """A line per tensor; offsets with the histogram of their distances."""
        if not context.path(STATISTICS).exists():
            return
        rows = context.json(STATISTICS)
        with readable(context.path(STATISTICS)):
            lines = [_line(row) for row in rows]
        for line in lines:
            context.log(line)
        for role, best in facts.get("top_codes", {}).items():
            context.log(f"output {role}: " + ", ".join(f"class {index} code {code} ({real:.4g})" for index, code, real in best))


def top_codes(graph: Graph, values: dict[str, np.ndarray]) -> dict[str, list[list[Any]]]:
    """By role of each output that is a classifier's (a 1×1 map of several channels): [class, code, real value] of the five
    greatest codes; of equal ones the lower class first."""
    found = {}
    for role, name in graph.outputs.items():
        codes, tensor = values[name].reshape(-1).astype(int), graph.tensors[name]
        if tensor.shape[1:] == (1, 1) and codes.size > 1:
            best = np.argsort(-codes, kind="stable")[:_BEST]
            found[role] = [[int(c), int(codes[c]), float(tensor.scale * (codes[c] - tensor.zero_point))] for c in best]
    return found


def _line(row: dict[str, Any]) -> str:
    line = f"{row['name']:<28} saturated {row['saturated_share']:7.3%}   commonest code {row['top_code']:4} {row['top_share']:6.1%}"
    if row["distances"]:
        line += "   d " + " ".join(f"{d}:{count}" for d, count in row["distances"].items())
    return line
