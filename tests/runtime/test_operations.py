# SPDX-License-Identifier: Apache-2.0
"""Random driver operations on the virtual board: no hang, no wrong result, every fault by its code."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from codesign.cli import main
from codesign.runtime import Detector, ReadFault
from codesign.selftest import OPERATIONS, Operations, Tally, Wrong, campaign
from codesign.selftest.campaigns import one
from codesign.virtual import VirtualBoard
from tests.runtime import small

#: what every long campaign must have met: faults by injected errors, overwritten programs, impatience and misuse
REPORTED = {
    "ReadFault (code 3)", "WriteFault (code 4)", "OpcodeFault (code 1)", "WatchdogFault (code 5)", "AcceleratorTimeout",
    "AcceleratorBusy", "BufferFreed", "FrameError",
}  # fmt: skip


def run(package: Path, count: int, seed: int) -> Tally:
    return campaign(package, lambda stall, number: small.virtual_board(stall=stall, seed=number), count, seed)


def test_sixty_random_operations(package: Path) -> None:
    tally = run(package, 60, 1)
    assert tally.total == 60 and tally.frames > 15 and tally.cycles > 100_000


@pytest.mark.slow
def test_a_thousand_random_operations(package: Path) -> None:
    tally = run(package, 1000, 2)
    assert tally.total == 1000 and set(tally.operations) == set(OPERATIONS)
    assert set(tally.reported) == REPORTED
    print(tally)


def test_the_same_seed_does_the_same(package: Path) -> None:
    assert run(package, 8, 3) == run(package, 8, 3)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("decode", "boxes of picture"),  # a result that is wrong
        ("silent", "no FrameError"),  # a refusal that does not come
        ("code", "code 3 instead of 4|instead of WriteFault"),  # a fault under another name
        ("crash", "ZeroDivisionError"),  # an error that is not the driver's
    ],
)
def test_a_driver_with_a_mistake_is_found_out(broken: str, says: str, package: Path, board: VirtualBoard, monkeypatch) -> None:
    """Each mistake is found by the operation that looks for it."""

    operation = {"decode": "detect", "silent": "wrong_size", "code": "write_error", "crash": "stream"}[broken]
    tried = Operations(package, board, random.Random(1))
    if broken == "decode":
        right = Detector._decode
        monkeypatch.setattr(Detector, "_decode", lambda self, slot: right(self, slot).above(0.9))
    elif broken == "silent":
        monkeypatch.setattr(Detector, "detect", lambda self, image: None)
    elif broken == "code":
        monkeypatch.setattr("codesign.runtime.accelerator.fault_of", lambda word, engines: ReadFault(3, 0, 0, "load"))
    else:
        monkeypatch.setattr(Detector, "stream", lambda self, frames: 1 // 0)
    with pytest.raises(Wrong, match=says):
        one(tried, operation, random.Random(1), Tally())
    monkeypatch.undo()
    tried.close_board()


def test_the_command_counts_what_was_done(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    board = small.board_file(tmp_path)
    assert main(["selftest", "--board", f"sim:{board}", "--operations", "30", "--seed", "5", "--json", "out.json"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"30 operations on the virtual TUL PYNQ-Z2: no hang, \d+ frames all equal to golden", printed)
    found = json.loads(Path("out.json").read_text())
    assert sum(found["operations"].values()) == 30 and found["wrong"] is None and found["seed"] == 5


def test_the_command_says_what_was_wrong(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Detector, "_decode", lambda self, slot: None)
    assert main(["selftest", "--board", f"sim:{small.board_file(tmp_path)}", "--operations", "20"]) == 1
    assert re.search(r"wrong: operation \d+, \w+: .* \(--seed 1 --operations 20 shows it again\)", capsys.readouterr().out)


def test_wrong_arguments_are_one_line(capsys) -> None:
    assert main(["selftest", "--board", "sim:nowhere"]) == 2
    assert "unknown board 'nowhere'" in capsys.readouterr().err
