# SPDX-License-Identifier: Apache-2.0
"""Steps, resuming, edited artefacts and the report, with an instruction-set model in place of the RTL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codesign.build import BuildOptions, build
from codesign.build.artefacts import file_hash
from codesign.build.runner import Listener
from codesign.build.steps import all_steps
from codesign.cli import main
from codesign.errors import UserError

SIZE = {"config": "b", "height": 64, "width": 64}


class Notes(Listener):
    """Keeps what was said."""

    def __init__(self):
        self.lines: list[str] = []

    def note(self, text):
        self.lines.append(text)


def options(folder: Path, **changes) -> BuildOptions:
    return BuildOptions("pynq-z2", out=folder, **{**SIZE, **changes})


def statuses(result) -> dict[str, str]:
    return {step.name: step.status for step in result.steps}


@pytest.fixture
def built(fast, tmp_path):
    result = build(options(tmp_path / "out"))
    assert not result.failed, [(s.name, s.reason) for s in result.steps if s.status == "failed"]
    return result


def test_every_step_ends_with_a_status(built):
    assert statuses(built) == {
        "lower": "done", "golden": "done", "plan": "done", "rtl": "done", "verilate": "done", "simulate": "verified",
        "profile": "done", "synthesise": "skipped", "bitstream": "skipped", "report": "done",
    }  # fmt: skip
    assert all(step.reason for step in built.steps if step.status == "skipped")


def test_a_page_for_people_lies_beside_the_report(built):
    text = (built.folder / "report.html").read_text()
    for chart in ("detections", "efficiency", "roofline", "timeline", "resources"):
        assert f'data-chart="{chart}"' in text
    assert f"codesign build --board pynq-z2 --config b --height 64 --width 64 --out {built.folder}" in text
    report = json.loads((built.folder / "report.json").read_text())
    assert report["model"]["sha256"] in text
    assert f"{report['bit_exact']['values']:,}" in text
    assert "simulated" in text and "Nothing was measured on hardware" in text


def test_report_keeps_its_contract(built):
    report = json.loads((built.folder / "report.json").read_text())
    contract = {
        "": "schema board config model steps bit_exact cycles array_macs depthwise_macs clock_mhz fps mac_efficiency "
        "array_efficiency latency_model resources simulation dram",
        "model": "sha256 weight_bits act_bits params macs",
        "bit_exact": "images tensors values mismatches saturated_share distance_histogram",
        "cycles": "total pointwise_busy depthwise_busy load_busy store_busy layers",
        "latency_model": "cycles error",
        "simulation": "seconds kcycles_per_s",
        "dram": "read_bytes write_bytes model",
    }
    for key, names in contract.items():
        assert set(names.split()) <= set(report[key] if key else report), key
    assert {"name", "status", "seconds", "reason"} <= set(report["steps"][0])
    assert {"name", "op", "macs", "cycles", "stalls"} <= set(report["cycles"]["layers"][0])
    assert [step["name"] for step in report["steps"]] == [step.name for step in all_steps()]
    assert report["bit_exact"]["mismatches"] == 0
    assert report["model"]["macs"] == sum(row["macs"] for row in report["cycles"]["layers"])
    total = report["cycles"]["total"]
    assert report["mac_efficiency"] == pytest.approx(report["model"]["macs"] / ((512 + 96) * total))


def test_the_report_has_the_checksum_of_every_artefact(built):
    report = json.loads((built.folder / "report.json").read_text())
    folder = built.folder
    left = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")}
    listed = set(report["artefacts"])
    assert {"graph.safetensors", "image.png", "golden.npz", "program.bin", "simulation.json", "rtl/codesign_accelerator.v"} <= listed <= left
    assert all(file_hash(folder / name) == digest for name, digest in report["artefacts"].items())


def test_unchanged_steps_are_kept(built):
    again = build(options(built.folder))
    assert all(step.kept for step in again.steps if step.status in ("done", "verified") and step.name != "report")
    assert statuses(again)["simulate"] == "verified"


def test_fresh_runs_everything(built):
    again = build(options(built.folder, fresh=True))
    assert not any(step.kept for step in again.steps)


def test_changed_option_reruns_what_depends_on_it(built):
    again = build(options(built.folder, weight_bits=8))
    kept = {step.name for step in again.steps if step.kept}
    assert kept == {"rtl", "verilate"}
    assert not again.failed


def flip_weight_bit(folder: Path) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    path = folder / "program.bin"
    data = bytearray(path.read_bytes())
    at = plan["params_address"] + 16 * 16 + 1  # behind the first instruction's requantisation
    data[at] ^= 0x10
    path.write_bytes(data)


def test_edited_dram_content_is_used_and_fails(built):
    flip_weight_bit(built.folder)
    notes = Notes()
    again = build(options(built.folder), notes)
    assert any("program.bin: edited since it was generated; used as it is" in line for line in notes.lines)
    assert again.failed
    step = next(step for step in again.steps if step.name == "simulate")
    for word in ("layer", "channel", "y ", "x ", "got", "want"):
        assert word in step.reason
    assert statuses(again)["synthesise"] == "skipped"
    report = json.loads((built.folder / "report.json").read_text())
    assert report["bit_exact"]["mismatches"] > 0
    assert report["bit_exact"]["first_difference"]["layer"]
    assert build(options(built.folder)).failed, "a failed step is not kept"
    assert not build(options(built.folder, fresh=True)).failed


def test_edited_rtl_is_compiled(built):
    path = built.folder / "rtl" / "codesign_accelerator.v"
    path.write_text(path.read_text() + "// mine\n")
    before = (built.folder / "simulator" / "libsim.so").resolve()
    again = build(options(built.folder))
    assert "// mine" in path.read_text()
    assert (built.folder / "simulator" / "libsim.so").resolve() != before
    assert {step.name for step in again.steps if not step.kept} >= {"verilate", "simulate"}


def test_edit_is_kept_beside_what_replaces_it(built):
    flip_weight_bit(built.folder)
    mine = (built.folder / "program.bin").read_bytes()
    build(options(built.folder, weight_bits=8))
    assert (built.folder / "program.bin.edited").read_bytes() == mine


def test_a_record_that_names_a_file_elsewhere_moves_nothing(built):
    elsewhere = built.folder.parent / "elsewhere.txt"
    elsewhere.write_text("theirs")
    path = built.folder / "steps.json"
    document = json.loads(path.read_text())
    document["steps"]["plan"]["outputs"]["../elsewhere.txt"] = "0" * 64
    path.write_text(json.dumps(document))
    build(options(built.folder, weight_bits=8))
    assert elsewhere.read_text() == "theirs" and not elsewhere.with_name("elsewhere.txt.edited").exists()


def test_program_of_another_size_is_refused(built):
    with (built.folder / "program.bin").open("ab") as file:
        file.write(b"\0" * 64)
    with pytest.raises(UserError, match="has .* bytes where the plan has"):
        build(options(built.folder))


def test_interrupted_build_resumes(fast, tmp_path, monkeypatch):
    from codesign.build.steps import simulate

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(simulate, "run_frame", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(options(tmp_path))
    result = build(options(tmp_path))
    assert {step.name for step in result.steps if step.kept} == {"lower", "golden", "plan", "rtl", "verilate"}
    assert statuses(result)["simulate"] == "verified"


def test_damaged_record_means_running_again(built):
    (built.folder / "steps.json").write_text('{"schema": 1, "steps": {"lower"')
    again = build(options(built.folder))
    assert not any(step.kept for step in again.steps)


def test_one_build_at_a_time(built):
    from codesign.build.artefacts import opened

    with opened(built.folder), pytest.raises(UserError, match="another build is running"):
        build(options(built.folder))


def test_report_of_another_picture(fast, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (48, 90, 3), dtype=np.uint8)).save(tmp_path / "mine.png")
    result = build(options(tmp_path / "out", image=tmp_path / "mine.png"))
    assert not result.failed
    with Image.open(tmp_path / "out" / "image.png") as image:
        assert image.size == (64, 64)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("golden.npz", b"not an archive"),
        ("golden.npz", None),
        ("statistics.json", b"{"),
        ("statistics.json", b'[{"name": 1}]'),
        ("report.json", b"\xff"),
    ],
)
def test_unreadable_artefacts(name, content, built, capsys):
    path = built.folder / name
    if content is None:
        np.savez(path, other=np.zeros(3))
    else:
        path.write_bytes(content)
    arguments = ["build", "--board", "pynq-z2", "--height", "64", "--width", "64", "--out", str(built.folder)]
    code = main([*arguments, "--json", str(built.folder / "copy.json")])
    error = capsys.readouterr().err
    if name == "report.json":  # made again, as the skipped steps are
        assert code == 0
    else:
        assert code == 2
        assert f"{path} cannot be read" in error
        assert "--fresh" in error
    assert main([*arguments, "--fresh"]) == 0


@pytest.mark.parametrize("steps", [[], {"lower": {}}, {"lower": {"status": 1, "reason": [], "seconds": "", "inputs": {}, "outputs": {}}}])
def test_record_of_wrong_types_counts_as_empty(steps, tmp_path):
    from codesign.build.record import Records

    (tmp_path / "steps.json").write_text(json.dumps({"schema": 1, "steps": steps}))
    assert Records(tmp_path / "steps.json").get("lower") is None


def test_write_whole_keeps_links_and_devices(tmp_path):
    from codesign.build.artefacts import json_text, write_whole

    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", json_text({"a": [float("nan"), float("inf"), 1.5]}))
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real").read_text()) == {"a": [None, None, 1.5]}
    write_whole(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(UserError, match="/dev/full cannot be written: No space"):
        write_whole(Path("/dev/full"), "x")
    assert Path("/dev/full").is_char_device()
