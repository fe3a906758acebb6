# SPDX-License-Identifier: Apache-2.0
"""What a user gets wrong is one line and exit code 2; what does not agree is exit code 1."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.boards import FOLDER
from codesign.cli import main
from codesign.errors import UserError
from tests.build.test_build import flip_weight_bit

BUILD = ["build", "--board", "pynq-z2"]
SMALL = ["--height", "64", "--width", "64"]


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int = 2) -> str:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("codesign: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "--board", "no-such-board"], "unknown board 'no-such-board'; known: pynq-z2"),
        (["build", "--board", "missing.toml"], "missing.toml: cannot be read"),
        (["build"], "--board"),
        ([*BUILD, "--config", "z"], "unknown configuration 'z'"),
        ([*BUILD, "--height", "100"], "--height 100: must be a multiple of 32"),
        ([*BUILD, "--width", "-32"], "--width -32: must be a multiple of 32"),
        ([*BUILD, "--width", "wide"], "--width"),
        ([*BUILD, "--weight-bits", "5"], "--weight-bits 5: must be 4 or 8"),
        ([*BUILD, "--form", "round"], "--form 'round': must be one of square, pairs"),
        ([*BUILD, "--model", "missing.safetensors"], "--model missing.safetensors: no such file"),
        ([*BUILD, "--image", "missing.png"], "--image missing.png: no such file"),
        ([*BUILD, "--colour", "red"], "--colour"),
        (["paint"], "paint"),
        (["detect", "missing.png"], "missing.png: no such picture or folder"),
        (["detect", "missing.png", "--on", "paper"], "--on 'paper': must be golden or rtl"),
        (["detect", "missing.png", "--images", "0"], "--images"),
        (["detect", "missing.png", "--threshold", "1.5"], "--threshold"),
        (["detect", "missing.png", "--threshold", "nan"], "--threshold"),
        (["detect", "missing.png", "--board", "none"], "unknown board 'none'"),
        (["disasm", "missing.bin"], "missing.bin: no such program"),
        (["eval", "--data", "missing-folder"], "missing-folder: no such data folder"),
        (["train", "--data", "missing-folder"], "missing-folder: no such data folder"),
    ],
)
def test_wrong_arguments(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in one_line(capsys, arguments)


def test_negative_clock(capsys, tmp_path):
    text = (FOLDER / "pynq-z2.toml").read_text().replace("mhz = 100.0", "mhz = -100.0")
    (tmp_path / "mine.toml").write_text(text)
    assert "clock.mhz = -100.0" in one_line(capsys, ["build", "--board", str(tmp_path / "mine.toml")])


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 5000, b"{" * 4000])
def test_corrupt_model(content, capsys, tmp_path, fast):
    model = tmp_path / "model.safetensors"
    model.write_bytes(content)
    error = one_line(capsys, [*BUILD, "--model", str(model), "--out", str(tmp_path / "out")])
    assert str(model) in error


def test_truncated_model(capsys, tmp_path, fast):
    from codesign.graph.files import save_graph
    from codesign.lower.random_net import random_graph

    model = tmp_path / "model.safetensors"
    save_graph(random_graph("b", height=64, width=64), model)
    whole = model.read_bytes()
    for size in (8, 2000, len(whole) // 2, len(whole) - 1):
        model.write_bytes(whole[:size])
        assert str(model) in one_line(capsys, [*BUILD, "--model", str(model), "--out", str(tmp_path / "out")])


def test_unreadable_picture(capsys, tmp_path, fast):
    (tmp_path / "picture.png").write_bytes(b"not a picture")
    arguments = [*BUILD, *SMALL, "--image", str(tmp_path / "picture.png"), "--out", str(tmp_path / "out")]
    assert "not a readable image" in one_line(capsys, arguments)


def test_output_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    error = one_line(capsys, [*BUILD, *SMALL, "--out", str(tmp_path / "file" / "out")])
    assert "cannot be written" in error
    if os.geteuid():  # root writes anywhere
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        assert "cannot be written: Permission denied" in one_line(capsys, [*BUILD, *SMALL, "--out", str(locked / "out")])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_full_or_read_only_disk(code, capsys, tmp_path, fast, monkeypatch):
    from codesign.build.steps import plan

    def refuse(path: Path, data: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(plan, "write_whole", refuse)
    error = one_line(capsys, [*BUILD, *SMALL, "--out", str(tmp_path / "out")])
    assert os.strerror(code) in error
    assert "program.bin" in error


def test_build_prints_steps_and_statistics(capsys, tmp_path, fast):
    assert main([*BUILD, *SMALL, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "report.json")]) == 0
    out = capsys.readouterr().out
    assert "[6/10] simulate   verified" in out
    assert "0 mismatches" in out
    assert "[9/10] bitstream  skipped" in out
    assert "(no bitstream: Vivado not found)" in out
    assert " d 0:" in out
    assert "saturated" in out
    assert (tmp_path / "report.json").read_bytes() == (tmp_path / "out" / "report.json").read_bytes()


def test_failed_verification_is_exit_code_1(capsys, tmp_path, fast):
    arguments = [*BUILD, *SMALL, "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    flip_weight_bit(tmp_path / "out")
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert "program.bin: edited since it was generated; used as it is (--fresh regenerates)" in out
    assert "first difference in layer" in out


def test_ctrl_c(capsys, tmp_path, fast, monkeypatch):
    from codesign.build.steps import simulate

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "run_frame", interrupted)
    error = one_line(capsys, [*BUILD, *SMALL, "--out", str(tmp_path / "out")], 130)
    assert "run the same command to resume" in error


def test_killed_build_resumes(capsys, tmp_path, fast):
    """SIGKILL while a real process works on the first steps."""
    out = tmp_path / "out"
    program = "import sys; from codesign.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *BUILD, *SMALL, "--out", str(out)],
        cwd=FOLDER.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        limit = time.monotonic() + 300
        while not (out / "steps.json").exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert (out / "steps.json").exists()
    assert main([*BUILD, *SMALL, "--out", str(out)]) == 0
    assert "kept from before" in capsys.readouterr().out


def test_disasm(capsys, tmp_path, fast):
    assert main([*BUILD, *SMALL, "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["disasm", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "HALT" in lines[-1]
    assert any("POINTWISE" in line for line in lines)


def test_detect_is_the_same_on_golden_and_rtl(capsys, tmp_path, fast, monkeypatch):
    import codesign.verify
    from codesign.graph.files import save_graph
    from codesign.lower.random_net import random_graph
    from tests.build.fakes import run_frame

    monkeypatch.setattr(codesign.verify, "run_frame", run_frame)
    save_graph(random_graph("b", height=64, width=64), tmp_path / "model.safetensors")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(1)
    for name, size in (("one.png", (64, 64, 3)), ("two.png", (50, 80, 3))):
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(pictures / name)
    common = ["detect", str(pictures), "--model", str(tmp_path / "model.safetensors"), "--threshold", "0.0"]
    shown = []
    for on in ("golden", "rtl"):
        folder = tmp_path / on
        assert main([*common, "--on", on, "--out", str(folder), "--build", str(tmp_path / "build")]) == 0
        assert sorted(p.name for p in folder.iterdir()) == [f"one-{on}.png", f"two-{on}.png"]
        lines = capsys.readouterr().out.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("one.png"))
        shown.append(lines[start:-1])
    assert shown[0] == shown[1]
    assert len(shown[0]) > 4


def test_doctor(capsys, tmp_path):
    assert main(["doctor", "--json", str(tmp_path / "tools.json")]) == 0
    out = capsys.readouterr().out
    assert "verilator" in out
    assert "codesign build has all it needs" in out


def test_digits(capsys, tmp_path):
    assert main(["digits", str(tmp_path / "scenes"), "--train", "2", "--test", "1", "--size", "64"]) == 0
    assert len(list((tmp_path / "scenes" / "JPEGImages").iterdir())) == 3


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("codesign ")
    assert main(["build", "--help"]) == 0
    assert "--board" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyError("cycles"), "internal error: KeyError: 'cycles'; set CODESIGN_DEBUG=1"), (UserError("no"), "no")],
)
def test_failed_build_leaves_no_report(error, words, capsys, tmp_path, fast, monkeypatch):
    from codesign.build.steps import simulate

    def refuse(*_, **__):
        raise error

    arguments = [*BUILD, *SMALL, "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    capsys.readouterr()
    flip_weight_bit(tmp_path / "out")
    monkeypatch.setattr(simulate, "run_frame", refuse)
    assert words in one_line(capsys, arguments)
    assert not (tmp_path / "out" / "report.json").exists()
    monkeypatch.setenv("CODESIGN_DEBUG", "1")
    with pytest.raises(type(error)):
        main(arguments)


def test_detect_on_a_folder_with_a_corrupt_picture(capsys, tmp_path):
    from codesign.build.options import SHIPPED_MODEL

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("same.png", "same.jpg"):
        Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(pictures / name)
    (pictures / "bad.png").write_bytes(b"no")
    arguments = ["detect", str(pictures), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "found.json")]
    assert main(arguments) == 1
    assert "not a readable image" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["same.jpg-golden.png", "same.png-golden.png"]
    assert len(json.loads((tmp_path / "found.json").read_text())["images"]) == 2
    wrong = [*arguments, "--model", str(SHIPPED_MODEL), "--config", "d"]
    assert "--config d" in one_line(capsys, wrong)


def test_report_again_without_simulating(capsys, tmp_path, fast, monkeypatch):
    from codesign.build.steps import simulate

    folder = tmp_path / "out"
    assert "no such folder; give one that `codesign build`" in one_line(capsys, ["report", str(folder)])
    folder.mkdir()
    assert "holds no simulated frame; `codesign build` makes one" in one_line(capsys, ["report", str(folder)])
    (folder / "steps.json").write_text('{"schema": 1, "abo')
    assert "steps.json: damaged" in one_line(capsys, ["report", str(folder)])
    (folder / "steps.json").unlink()
    assert main([*BUILD, *SMALL, "--out", str(folder)]) == 0
    before = json.loads((folder / "report.json").read_text())
    for name in ("waterline.png", "roofline.svg", "trace.json", "report.json"):
        (folder / name).unlink(missing_ok=name != "report.json")
    plan = (folder / "plan.json").read_bytes()
    (folder / "plan.json").write_bytes(plan[:-40])
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(simulate, "run_frame", None)
        assert main(["report", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "waiting for tokens" in out
    assert "plan.json: edited since it was generated" in out
    (folder / "plan.json").write_bytes(plan)
    after = json.loads((folder / "report.json").read_text())
    assert after["cycles"] == before["cycles"]
    assert [(s["name"], s["status"]) for s in after["steps"] if s["name"] in ("lower", "simulate", "report")] == [
        ("lower", "done"), ("simulate", "verified"), ("report", "done")
    ]  # fmt: skip
    assert (folder / "trace.json").exists() and (folder / "roofline.svg").exists()
    assert main([*BUILD, *SMALL, "--out", str(folder)]) == 0
    assert "edited" not in capsys.readouterr().out
