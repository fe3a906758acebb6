# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.build.frame_worker JOB NUMBER COUNT``: every COUNT-th picture of a job, from NUMBER on.

Each runs through the RTL and through golden, every tensor is compared, and the boxes of both are kept.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from codesign.boards import load_board
from codesign.build.detector import decode_heads, graph_fit
from codesign.build.frames import FrameResult, write_result
from codesign.build.options import BuildOptions
from codesign.build.step import Context
from codesign.build.steps.simulate import content
from codesign.data.fit import fit_picture
from codesign.data.sample import load_image
from codesign.decode import Detections
from codesign.errors import UserError
from codesign.golden import image_codes, run


class FrameRunner:
    """The build in ``context``, ready for one picture after another."""

    def __init__(self, context: Context):
        self._graph, self._plan, self._board = context.graph, context.plan, context.board
        self._library, self._content = context.path("simulator/libsim.so").resolve(), content(context)

    def run(self, path: Path) -> FrameResult:
        """One picture, fitted to the network's input as its training did. Boxes are in the picture's own pixels."""
        from codesign.verify import compare, run_frame

        _, height, width = self._graph.input.shape
        fitted = fit_picture(load_image(path), height, width, graph_fit(self._graph))
        codes = image_codes(fitted.pixels)
        golden = run(self._graph, codes)
        program = self._plan.program
        frame = run_frame(self._library, program, self._board, codes, self._content)
        outputs = {role: t.read(frame.memory, program.config.lanes) for role, t in program.outputs.items()}
        expected = {role: golden[name] for role, name in self._graph.outputs.items()}
        found = []
        for heads in (outputs, expected):
            boxes = decode_heads(self._graph, heads)
            found.append(Detections(fitted.restore(boxes.boxes), boxes.scores, boxes.labels))
        result = compare(self._plan, self._graph, golden, frame)
        first = str(result.first) if result.first else ""
        return FrameResult(found[0], found[1], result.values, result.mismatches, first, frame.cycles)


def main(job_file: Path, number: int, count: int) -> None:
    """Work through one worker's share."""
    job = json.loads(job_file.read_text())
    folder = Path(job["folder"])
    options = BuildOptions(job["board"], out=folder)
    runner = FrameRunner(Context(options, load_board(options.board), folder, str, str))
    for path, name in job["pictures"][number::count]:
        write_result(job_file.parent / name, runner.run(Path(path)))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends its workers
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except (UserError, RuntimeError, OSError) as error:
        print(" ".join(str(error).split()))
        sys.exit(1)
