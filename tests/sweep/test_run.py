# SPDX-License-Identifier: Apache-2.0
"""Whole sweeps: front, resumption, recommendation."""

from __future__ import annotations

import json
import random
import sqlite3

import pytest

from codesign.cli import main
from codesign.errors import UserError
from codesign.sweep import run_sweep, runner
from codesign.sweep.pareto import costs, front
from codesign.sweep.recommend import build_command, recommend
from codesign.sweep.runner import BASE
from codesign.sweep.space import make_space
from codesign.sweep.store import Store
from codesign.sweep.task import Task
from tests.sweep.conftest import Inline, answer_by_formula


def _opened(folder):
    return Store(folder / BASE)


def test_front_is_that_of_all_designs_planned(small, tmp_path):
    hands = Inline()
    result = run_sweep(small, tmp_path / "out", executor=hands)
    assert {p["board"] for p in result.points if p["front"]} == {"pynq-z2", "ulx3s-85f"}
    assert hands.done < 2 * 36  # not every design was planned
    for board in ("pynq-z2", "ulx3s-85f"):
        mine = [p for p in result.points if p["board"] == board]
        sure = [p for p in mine if p["front"]]
        assert all(p["fidelity"].startswith("planned") for p in sure)
        assert {p["fidelity"] for p in sure} >= {"planned"}
        assert front(costs(sure, small.objectives)).all()
        # nothing that was only estimated would have been better, had it been planned
        space = {d.spec: d for d in make_space(small.hardware).designs}
        for point in mine:
            truth = answer_by_formula(Task("plan", {"design": point["design"], "policies": "all"}))
            if "refused" in truth:
                continue
            latency = truth["cycles"] / space[point["design"]].board.clock_mhz / 1e3
            assert not all(latency < 0.99 * p["latency_ms"] and point["area"] < p["area"] for p in sure)


def test_points_carry_estimates_and_their_error(small, tmp_path):
    result = run_sweep(small, tmp_path / "out", executor=Inline())
    for summary in result.searches:
        assert summary["designs"] >= summary["planned"] > 0
        assert 0 <= summary["screen_error"]["cycles"] < 0.2
    point = result.points[0]
    assert {"latency_ms", "energy_uj", "lut", "ff", "dsp", "bram36", "area", "dram_bytes", "macs"} <= set(point)


@pytest.mark.parametrize("seed", range(3))
def test_killed_and_resumed_gives_the_same_result_set(small, tmp_path, seed):
    run_sweep(small, tmp_path / "whole", executor=Inline())
    random.seed(seed)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_sweep(small, tmp_path / "killed", executor=Inline(stop=random.randrange(1, 9)))
    run_sweep(small, tmp_path / "killed", executor=Inline())
    whole, killed = _opened(tmp_path / "whole"), _opened(tmp_path / "killed")
    assert whole.result_set() == killed.result_set()
    assert whole.about("searches") == killed.about("searches")


def test_nothing_is_done_twice(small, tmp_path):
    run_sweep(small, tmp_path / "out", executor=Inline())
    again = Inline(stop=0)
    assert run_sweep(small, tmp_path / "out", executor=again).performed == 0
    assert again.done == 0


def test_every_answer_carries_seed_versions_and_hashes(small, tmp_path):
    run_sweep(small, tmp_path / "out", executor=Inline())
    base = sqlite3.connect(tmp_path / "out" / BASE)
    rows = base.execute("SELECT key, seed, versions, sources, subject FROM answers").fetchall()
    assert rows
    for key, seed, versions, sources, subject in rows:
        assert len(key) == len(sources) == 64
        assert seed == 0
        assert {"codesign", "python", "numpy"} <= set(json.loads(versions))
        assert len(json.loads(subject)["graph"]) == 64
    base.close()


def test_recommend_names_the_fastest_and_its_command(small, tmp_path):
    result = run_sweep(small, tmp_path / "out", executor=Inline())
    store = _opened(tmp_path / "out")
    point = recommend(store, "pynq-z2", None)
    sure = [p for p in result.points if p["board"] == "pynq-z2" and p["fidelity"] != "estimated"]
    assert point["latency_ms"] == min(p["latency_ms"] for p in sure)
    command = build_command(store, point)
    assert command.startswith(f"codesign build --board {point['design']} --config b --height 64 --width 64")
    with pytest.raises(UserError, match="the sweep has pynq-z2, ulx3s-85f"):
        recommend(store, "zcu102", None)
    with pytest.raises(UserError, match="no network of the sweep has a measured AP50"):
        recommend(store, None, 0.5)


def test_recommend_with_accuracy(tmp_path):
    store = _opened(_folder(tmp_path))
    rows = [("small", 0.7, 5.0), ("large", 0.9, 9.0), ("huge", 0.95, 30.0)]
    others = {"clock_mhz": 100.0, "cycles": None, "dram_bytes": 9, "macs": 9, "energy_uj": 0.1, "lut": 9, "ff": 9, "dsp": 9, "bram36": 9}
    store.put_points([others | {"network": n, "design": "pynq-z2", "board": "pynq-z2", "ap50": ap, "latency_ms": ms, "fps": 1000 / ms,
                       "area": 0.5, "fidelity": "planned", "front": True} for n, ap, ms in rows])  # fmt: skip
    store.note("networks", {"large": {"build": ["--config", "b", "--model", "a b.safetensors"]}})
    found = recommend(store, "pynq-z2", 0.8)
    assert found["network"] == "large"
    assert build_command(store, found) == "codesign build --board pynq-z2 --config b --model 'a b.safetensors'"
    with pytest.raises(UserError, match="the best network of the sweep has 0.950"):
        recommend(store, "pynq-z2", 0.99)


def test_what_synthesis_found_too_large_is_not_recommended(small, tmp_path):
    run_sweep(small, tmp_path / "out", executor=Inline())
    store = _opened(tmp_path / "out")
    first = recommend(store, "pynq-z2", None)
    large = {"fits": False, "errors": {}}
    store.put_points([p | ({"rtl": large} if p["design"] == first["design"] else {}) for p in store.points()])
    assert recommend(store, "pynq-z2", None)["design"] != first["design"]
    store.put_points([p | {"rtl": large} for p in store.points()])
    with pytest.raises(UserError, match="no point fits its board as synthesised"):
        recommend(store, "pynq-z2", None)


def _folder(path):
    (path / "s").mkdir()
    return path / "s"


def test_command_line(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "make_executor", lambda wanted: Inline())
    assert main(["sweep", "small.toml", "--json", "out.json"]) == 0
    text = capsys.readouterr().out
    assert "on the front of latency_ms, area" in text
    assert len(json.loads((tmp_path / "out.json").read_text())["points"]) > 20
    assert main(["sweep", "--recommend", "--board", "pynq-z2"]) == 0  # of the last sweep
    assert "codesign build --board pynq-z2" in capsys.readouterr().out
    assert main(["sweep"]) == 2
    assert main(["sweep", "--recommend", "--out", "elsewhere"]) == 2
    assert main(["sweep", "small.toml", "--executor", "cloud"]) == 2
    assert "--executor 'cloud': must be local or ray" in capsys.readouterr().err


def test_a_base_that_is_none_is_refused(small, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / BASE).write_bytes(b"not a data base" * 100)
    with pytest.raises(UserError, match="not a sweep's results"):
        run_sweep(small, tmp_path / "out", executor=Inline())


def test_a_graph_is_the_same_whatever_its_header_looks_like(tmp_path):
    from codesign.sweep.digest import digest

    one, other, not_one = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    for path, header in ((one, b'{"x":1,"y":2}'), (other, b'{"y":2,"x":1}')):
        path.write_bytes(len(header).to_bytes(8, "little") + header + b"data")
    not_one.write_bytes(b"{}")
    assert digest(one) == digest(other) != digest(not_one)
    assert digest(tmp_path / "none") == ""
