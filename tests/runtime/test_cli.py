# SPDX-License-Identifier: Apache-2.0
"""`codesign package`, `codesign detect --board sim:NAME`, the bitstream step and the host's benchmark."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.cli import main
from codesign.graph.files import save_graph
from codesign.runtime import Package, benchmark
from tests.build.fakes import fast
from tests.runtime import small

__all__ = ["fast"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_graph(small.graph(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def arguments(command: str, model: Path, folder: Path) -> list[str]:
    return [command, "--board", str(small.board_file(folder)), "--model", str(model)]


def test_package_of_a_model_and_of_its_build_folder_are_the_same(fast, model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments("package", model, tmp_path), "--out", "one.zip"]) == 0
    assert re.search(r"one\.zip: [\d,]+ bytes for small; no overlay in it: no bitstream was built", capsys.readouterr().out)
    assert main(["package", "build/small-b", "--out", "two.zip"]) == 0
    assert Path("one.zip").read_bytes() == Path("two.zip").read_bytes()
    package = Package.read("one.zip")
    assert package.description.board == "small" and package.description.control == (0x43C00000, 0x1000)
    assert package.program == small.program().content.tobytes()[: len(package.program)]


def test_wrong_arguments_are_one_line(fast, model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for given, says in (
        (["package", "nowhere"], "holds no planned network"),
        (["package", "nowhere", "--model", str(model)], "--model has no meaning beside a build folder"),
    ):
        assert main(given) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1


VIVADO = """#!/bin/sh
echo "$@" > called.txt
test -f package_ip.tcl && test -f block_design.tcl && test -f src/codesign_accelerator_axi.v || exit 3
mkdir -p ../overlay
{body}
"""


def vivado(folder: Path, body: str) -> None:
    """A program of that name on the PATH."""
    folder.mkdir(exist_ok=True)
    (folder / "vivado").write_text(VIVADO.format(body=body))
    (folder / "vivado").chmod(0o755)


def test_vivado_is_run_where_it_is_and_its_overlay_packaged(fast, model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    vivado(tmp_path / "bin", "printf bits > ../overlay/codesign.bit; printf hwh > ../overlay/codesign.hwh")
    assert main(arguments("build", model, tmp_path)) == 0
    assert "timing met at 100 MHz by Vivado's analysis" in capsys.readouterr().out
    assert "-mode batch" in Path("build/small-b/vivado/called.txt").read_text()
    assert main(["package", "build/small-b"]) == 0
    assert "no overlay" not in capsys.readouterr().out
    assert Package.read("detector.zip").files["overlay/codesign.bit"] == b"bits"


@pytest.mark.parametrize(
    ("body", "says"),
    [("echo 'ERROR: timing is not met: slack -1'; exit 1", "Vivado ended with 1: ERROR: timing is not met"), ("true", "Vivado wrote no overlay/codesign.bit")],
)
def test_a_vivado_that_fails_fails_the_build(body, says, fast, model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    vivado(tmp_path / "bin", body)
    assert main(arguments("build", model, tmp_path)) == 1
    assert says in capsys.readouterr().out


def test_without_vivado_the_hand_over_is_there_and_no_bitstream_claimed(fast, model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments("build", model, tmp_path)) == 0
    assert "no bitstream: Vivado not found" in capsys.readouterr().out
    names = {path.name for path in Path("build/small-b/vivado").rglob("*") if path.is_file()}
    assert names == {"build.tcl", "package_ip.tcl", "block_design.tcl", "codesign_accelerator_axi.v", "codesign_accelerator.v", "constraints.xdc"}


def test_the_benchmark_measures_counts_and_says_what_is_an_estimate(package: Path, capsys) -> None:
    assert benchmark.main([str(package), "--frames", "3"]) == 0
    out = capsys.readouterr().out
    assert "measured on this machine, median of 3 frames" in out
    assert "counted:" in out and "Cortex-A9" in out and "not measured on a board" in out
    work = benchmark.count(Package.read(str(package)), benchmark.heatmap(Package.read(str(package)))["hm"])
    assert all(each.elements > 0 and each.calls > 0 for each in work)


@pytest.mark.slow
def test_detect_on_the_virtual_board_prints_what_golden_prints(model, tmp_path, monkeypatch, capsys) -> None:
    small.simulators_from_cache(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.repeat(small.pictures(1, 3)[0], 2, axis=0)).save("picture.png")
    lines = []
    for board in (f"sim:{small.board_file(tmp_path)}", str(small.board_file(tmp_path))):
        assert main(["detect", "picture.png", "--board", board, "--model", str(model), "--threshold", "0.2"]) == 0
        out = capsys.readouterr().out
        lines.append([line for line in out.splitlines() if line.startswith("  ") and line.split()[0] in ("cat", "dog", "bird")])
    assert lines[0] == lines[1] and lines[0]
