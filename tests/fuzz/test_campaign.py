# SPDX-License-Identifier: Apache-2.0
"""A campaign goes on where it was killed, adds up, and makes what differs small. Nothing is simulated here."""

import json

import pytest

from codesign.cli.app import main
from codesign.errors import UserError
from codesign.fuzz import campaign as module
from codesign.fuzz.campaign import Campaign
from codesign.fuzz.case import drawn, read
from codesign.fuzz.coverage import Coverage, Seen
from codesign.fuzz.machines import CONFIG, MACHINES
from codesign.fuzz.shrink import shrunk
from codesign.fuzz.source import source
from codesign.fuzz.text import report
from codesign.fuzz.trial import DIFFERENT, EQUAL, REFUSED, Outcome
from codesign.graph.ir import Add


def planted(case):
    """As if every sum that is not alone went wrong."""
    return any(isinstance(node, Add) for node in source(case)[0].nodes)


@pytest.fixture
def pretended(monkeypatch):
    """Runs nothing: the outcome follows from the seed."""
    ran = []

    def run_case(case, _):
        ran.append((case.kind, case.seed))
        if case.seed % 7 == 3:
            return Outcome(REFUSED, "too large")
        seen = Seen({"LOAD.rows": (case.seed, case.seed, case.seed, ~case.seed & 0xFFFF)}, frozenset({"d = 0"}))
        return Outcome(EQUAL, "", 2, 100, 10, 0.5, seen)

    monkeypatch.setattr(module, "run_case", run_case)
    monkeypatch.setattr(module, "library", lambda *_: None)
    return ran


def test_a_killed_campaign_goes_on_and_runs_nothing_twice(tmp_path, pretended):
    path = tmp_path / "journal.jsonl"
    Campaign(path, tmp_path).run({"layer": 20})
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.rfind(b'{"kind"') + 20])  # killed while it wrote the last line
    again = Campaign(path, tmp_path)
    assert again.journal.totals["layer"].compared == 2 * len(MACHINES) - 1
    again.run({"layer": 25, "network": 2})
    assert len(pretended) == len(set(pretended)) + 1  # the one whose line was cut
    whole = Campaign(tmp_path / "other.jsonl", tmp_path)
    whole.run({"layer": 25, "network": 2})
    last = Campaign(path, tmp_path).journal
    assert set(last.totals["layer"].machines.values()) == {3}  # 25 in twelve equal shares
    assert last.coverage == whole.journal.coverage and last.totals == whole.journal.totals
    seeds = {seed for kind, seed in pretended if kind == "layer"}
    compared = {seed for seed in seeds if seed % 7 != 3}
    assert last.totals["layer"].statuses == {EQUAL: len(compared), REFUSED: len(seeds - compared)}
    least, greatest, ones, zeros = last.coverage.fields["LOAD.rows"]
    assert (least, greatest) == (min(compared), max(compared))
    assert f"| LOAD.rows | 16 | 0 | {greatest} |" in report(last) and "| d = 0 | 48 |" in report(last)


def test_what_differs_is_shrunk_and_saved(tmp_path, monkeypatch):
    def run_case(case, _):
        return Outcome(DIFFERENT if planted(case) else EQUAL, "a sum is wrong")

    monkeypatch.setattr(module, "run_case", run_case)
    monkeypatch.setattr(module, "library", lambda *_: None)
    lines = []
    found = Campaign(tmp_path / "journal.jsonl", tmp_path / "failures", lines.append)
    found.run({"network": 1})
    files = sorted((tmp_path / "failures").glob("*.json"))
    assert files and len(files) == len(found.journal.failures)
    for path in files:
        case = read(path)
        graph, _ = source(case)
        assert isinstance(graph.nodes[-1], Add) and len(graph.nodes) <= 6  # the sum, and the branch beside it
        assert case.machine == CONFIG and graph.input.shape[1:] == (1, 1)
    assert any("tests/fuzz/cases" in line for line in lines)


def test_a_part_of_a_network_computes_what_the_whole_does():
    from codesign.golden import run

    case = drawn("network", 4)
    graph, codes = source(case)
    values = run(graph, codes)
    for node in graph.nodes[:12]:
        small = shrunk(case, lambda c, name=node.output: source(c)[0].nodes[-1].output == name and c.crop is None, 40)
        part, given = source(small)
        assert (run(part, given)[node.output] == values[node.output]).all()


@pytest.mark.parametrize("change", [
    {"kind": "song"}, {"seed": -1}, {"machine": 5}, {"machine": {"lanes": "32"}}, {"stall": 2}, {"crop": [0, 1]}, {"policy": 99},
    {"more": 1}, {"latency": 1e9}, {"machine": {"lanes": 31}},
])  # fmt: skip
def test_a_wrong_case_is_one_line(tmp_path, change, capsys):
    document = drawn("layer", 1).document() | change
    path = tmp_path / "case.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UserError):
        read(path)
    assert main(["fuzz", "--replay", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("text", ["{}", "[1]\n", '{"schema": 1, "sources": "x"}\n', "\0\n", "[" * 100_000 + "\n"])
def test_a_file_that_is_no_journal_is_one_line(tmp_path, text, capsys):
    path = tmp_path / "journal.jsonl"
    path.write_text(text)
    assert main(["fuzz", "--layers", "0", "--networks", "0", "--journal", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert path.read_text() == text


def test_coverage_keeps_only_what_is_new():
    coverage = Coverage()
    seen = Seen({"HALT.engine": (0, 0, 0, 15)}, frozenset({"one channel"}), frozenset({"load: busy"}), frozenset({"Conv"}))
    coverage.merge(coverage.new(seen))
    again = coverage.new(seen)
    assert again["fields"] == {} and again["boundaries"] == ["one channel"]
