# SPDX-License-Identifier: Apache-2.0
"""The shipped model on the virtual PYNQ-Z2, whole frames: script, notebook and register trace. Slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.build import BuildOptions
from codesign.build.detector import decode_heads
from codesign.build.step import IMAGE
from codesign.decode import Detections
from codesign.golden import image_codes, run
from codesign.package.source import package, planned
from codesign.runtime import Detector, Package, Traced, opening
from codesign.runtime.detector import scaled
from codesign.virtual import open_board
from tests.runtime import small
from tests.runtime.test_examples import EXAMPLES, SCRIPT, cells
from tests.runtime.test_register_map import documented, without_polls

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Detections]:
    """The zip, a picture of the network's size, golden's boxes."""
    folder = tmp_path_factory.mktemp("pynq-z2")
    context = planned(BuildOptions("pynq-z2", "b", out=folder / "build"))
    package(context, folder / "detector.zip")
    pixels = np.asarray(Image.open(context.path(IMAGE)).convert("RGB"))
    values = run(context.graph, image_codes(pixels))
    golden = decode_heads(context.graph, {role: values[name] for role, name in context.graph.outputs.items()})
    assert len(golden.above(0.3).scores) > 0
    return folder / "detector.zip", context.path(IMAGE), golden


def test_the_trace_of_a_frame_is_the_documented_one_and_its_boxes_golden_s(deployed) -> None:
    zip_file, picture, golden = deployed
    traced = Traced(open_board("pynq-z2", Package.read(str(zip_file))))
    with Detector.from_package(str(zip_file), traced) as detector:
        traced.trace.clear()
        found = detector.detect(np.asarray(Image.open(picture).convert("RGB")))
        assert without_polls(traced.trace) == documented("A frame")
    assert small.same(found, golden)
    assert 500_000 < detector.cycles < 900_000


def test_the_notebook_runs_unchanged(deployed, monkeypatch, tmp_path: Path) -> None:
    zip_file, picture, golden = deployed
    monkeypatch.setenv("CODESIGN_PACKAGE", str(zip_file))
    monkeypatch.setenv("CODESIGN_PICTURE", str(picture))
    monkeypatch.setenv(opening.VARIABLE, "sim:pynq-z2")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, source in enumerate(cells()):
        exec(compile(source, f"cell {number}", "exec"), names)
    assert small.same(names["found"], golden)


def test_the_script_prints_goldens_boxes(deployed, tmp_path: Path) -> None:
    zip_file, picture, golden = deployed
    environment = {**os.environ, opening.VARIABLE: "sim:pynq-z2", "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run([sys.executable, str(SCRIPT), str(zip_file), str(picture)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    labels = Package.read(str(zip_file)).description.labels
    shown = scaled(golden.above(0.3), (256, 256), (256, 256))
    wanted = [f"  {labels[label]} {score:.6f} " + " ".join(f"{v:.4f}" for v in box)
              for box, score, label in zip(shown.boxes, shown.scores, shown.labels, strict=True)]  # fmt: skip
    assert done.stdout.splitlines()[1 : 1 + len(wanted)] == wanted
    print(done.stdout)
