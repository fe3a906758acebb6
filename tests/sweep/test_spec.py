# SPDX-License-Identifier: Apache-2.0
"""Sweep files: what is read, and one clear line for what cannot be."""

from __future__ import annotations

import pytest

from codesign.errors import UserError
from codesign.sweep.networks import choices
from codesign.sweep.space import make_space
from codesign.sweep.spec import SHIPPED, load_spec

HEAD = 'name = "x"\n[hardware]\n'
BAD = {
    "": "key name is missing",
    'name = "x"\n': "key hardware is missing",
    'name = "a/b"\n[hardware]\n': "name = 'a/b': must be letters",
    f"{HEAD}lanes = 3.5\n": "hardware.lanes = 3.5: must be a whole number",
    f"{HEAD}lanes = [16, 16]\n": "a value stands there twice",
    f"{HEAD}lanes = []\n": "has 0 values",
    f"{HEAD}colour = 1\n": "unknown key hardware.colour; known: boards, mhz, lanes",
    f"{HEAD}[network]\nwidth = 0.5\n": "need a [training] table",
    f"{HEAD}[network]\nmodel = 'm'\nconfig = 'b'\n": "network.config: a model file has its own",
    f"{HEAD}[network]\nmodel = 'm'\n[training]\n": "network.model is trained already",
    f"{HEAD}[network]\nresolution = 100\n": "must be a multiple of 32",
    'name = "x"\nobjectives = ["ap50"]\n[hardware]\n': "ap50 needs trained networks",
    'name = "x"\nobjectives = ["speed"]\n[hardware]\n': "objectives = 'speed': must be one of ap50",
    f"{HEAD}[executor]\nkind = 'cloud'\n": "must be one of local, ray",
    f"{HEAD}spad_words = {list(range(256, 256 + 64))}\nacc_depth = {list(range(1, 65))}\nqueue_depth = {list(range(1, 65))}\n": "designs; at most",
    "name = ": "not valid TOML",
    f"seed = {'9' * 5000}": "a number of more than",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_wrong_file_gets_one_line(text, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_spec(path)
    assert BAD[text] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    for given in ("nothing", tmp_path / "none.toml", tmp_path):
        with pytest.raises(UserError):
            load_spec(given)
    (tmp_path / "big.toml").write_bytes(b"#" * 70000)
    with pytest.raises(UserError, match="not a sweep file"):
        load_spec(tmp_path / "big.toml")


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_shipped_sweeps_can_be_read(name):
    spec = load_spec(name)
    assert make_space(spec.hardware).designs
    assert choices(spec)


def test_the_hardware_sweep_has_two_thousand_designs_and_the_joint_one_twelve_networks():
    assert len(make_space(load_spec("hardware-b").hardware).designs) >= 2000
    joint = choices(load_spec("joint-digits"))
    assert len(joint) >= 12
    assert len({choice.name for choice in joint}) == len(joint)
    assert {choice.values["operator"] for choice in joint} == {"plain", "square"}


def test_designs_are_what_the_board_option_takes(small):
    from codesign.boards import load_board

    for design in make_space(small.hardware).designs:
        board = load_board(design.spec)
        assert (board.accelerator, board.dram, board.clock_mhz) == (
            design.board.accelerator, design.board.dram, design.board.clock_mhz,
        )  # fmt: skip


def test_another_clock_leaves_the_memory_as_fast(tmp_path):
    path = tmp_path / "clock.toml"
    path.write_text(f"{HEAD}mhz = [50, 100, 200]\n")
    half, same, twice = make_space(load_spec(path).hardware).designs
    assert [design.board.clock_mhz for design in (half, same, twice)] == [50, 100, 200]
    assert [design.board.dram.latency_cycles for design in (half, same, twice)] == [20, 40, 80]
    assert [design.board.dram.bytes_per_cycle for design in (half, same, twice)] == [32, 16, 8]
    assert same.spec == "pynq-z2"


def test_combinations_that_cannot_be_built_are_counted(tmp_path):
    path = tmp_path / "some.toml"
    path.write_text(f"{HEAD}lanes = [16, 32]\narray_out = [8, 32]\n")
    space = make_space(load_spec(path).hardware)
    assert len(space.designs) == 3
    assert list(space.refused.values()) == [1]
    path.write_text(f"{HEAD}lanes = 7\n")
    with pytest.raises(UserError, match="no combination can be built"):
        make_space(load_spec(path).hardware)
