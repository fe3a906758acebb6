# SPDX-License-Identifier: Apache-2.0
"""csim: every picture through the compiled C++, AXI shell included, every layer compared with golden."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from codesign.build.artefacts import json_text, readable, write_whole
from codesign.build.children import Child
from codesign.build.hls.compile import LIBRARY, project_hash
from codesign.build.hls.pictures import PICTURES, picture_codes
from codesign.build.hls.project import DESCRIPTION, FOLDER
from codesign.build.step import FAILED, GRAPH, IMAGE, VERIFIED, Context, Outcome, Step
from codesign.golden import run
from codesign.hls.layer_list import HEADS

RESULT, LOG = "csim.json", f"{FOLDER}/csim.log"
_JOB, _IMAGES, _VALUES = (f"{FOLDER}/csim-{name}" for name in ("job.json", "images.npz", "values.npz"))


@dataclass(frozen=True)
class Difference:
    """The first value, in the network's order, that is not golden's."""

    picture: int
    layer: str
    tensor: str
    channel: int
    y: int
    x: int
    got: int
    want: int

    def __str__(self) -> str:
        return (
            f"first difference in picture {self.picture}, layer {self.layer}, tensor {self.tensor}, channel {self.channel}, "
            f"y {self.y}, x {self.x}: got {self.got}, want {self.want}"
        )


class CsimStep(Step):
    name = "csim"
    outputs = (RESULT,)
    sources = ("codesign/hls/csim.py", "codesign/build/hls", "codesign/golden", "codesign/numeric.py", "codesign/data/digits.py", "codesign/build/network_input.py")

    def inputs(self, context: Context) -> dict[str, str]:
        files = {name: context.hash(name) for name in (GRAPH, IMAGE, LIBRARY, DESCRIPTION)}
        return {**files, "weights": project_hash(context, (".txt",)), "pictures": str(PICTURES)}

    def run(self, context: Context) -> Outcome:
        description = context.json(DESCRIPTION)
        codes = np.stack(picture_codes(context))
        began = time.monotonic()
        problem = _simulate(context, description, codes)
        if problem:
            return Outcome(FAILED, problem)
        seconds = time.monotonic() - began
        with readable(context.path(_VALUES)), np.load(context.path(_VALUES), allow_pickle=False) as found:
            facts = _compared(context, description, codes, found)
        context.path(_VALUES).unlink()
        facts["seconds"] = round(seconds, 2)
        write_whole(context.path(RESULT), json_text(facts))
        reason = (
            f"{len(codes)} pictures, {facts['values']:,} values of {facts['tensors']} tensors compared, "
            f"{facts['mismatches']:,} mismatches"
        )
        if facts["mismatches"]:
            return Outcome(FAILED, f"{reason}; {Difference(**facts['first_difference'])}", facts)
        return Outcome(VERIFIED, reason, facts)


def _simulate(context: Context, description: Mapping[str, Any], codes: np.ndarray) -> str:
    """Run the pictures in a process of their own; what went wrong, or nothing."""
    np.savez(context.path(_IMAGES), codes=codes)
    files = {"library": LIBRARY, "images": _IMAGES, "results": _VALUES}
    job = {key: str(context.path(name).resolve()) for key, name in files.items()}
    write_whole(context.path(_JOB), json_text({**job, "layers": description["layers"], "output": description["output"]}))
    command = [sys.executable, "-m", "codesign.hls.csim", str(context.path(_JOB).resolve())]
    child = Child(command, context.path(LOG))
    try:
        while (code := child.wait(0.5)) is None:
            context.progress(child.last_line())
    finally:
        child.end()
    return f"the C simulation ended with {code}: {child.last_line()}; see {context.path(LOG)}" if code else ""


def _compared(
    context: Context, description: Mapping[str, Any], codes: np.ndarray, found: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Every node's tensor, and the heads as they leave the AXI shell, for every picture."""
    graph, names, outputs = context.graph, description["names"], description["outputs"]
    by_tensor: dict[str, int] = {}
    values, first = 0, None
    for number, image in enumerate(codes):
        golden = run(graph, image)
        pairs = [(node.name, node.output, found[f"{number}/{names[node.output]}"], golden[node.output]) for node in graph.nodes]
        pairs.append(("AXI output", HEADS, found[str(number)], np.concatenate([golden[name] for name in outputs])))
        for layer, tensor, got, want in pairs:
            bad = got != want
            values += want.size
            by_tensor[tensor] = by_tensor.get(tensor, 0) + int(bad.sum())
            if first is None and bad.any():
                at = tuple(int(i) for i in np.argwhere(bad)[0])
                first = Difference(number, layer, tensor, *at, int(got[at]), int(want[at]))
    return {
        "images": len(codes),
        "tensors": len(by_tensor),
        "values": values,
        "mismatches": sum(by_tensor.values()),
        "mismatches_by_tensor": {name: count for name, count in by_tensor.items() if count},
        "first_difference": asdict(first) if first else None,
    }
