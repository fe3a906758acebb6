# SPDX-License-Identifier: Apache-2.0
"""The frame as a Chrome trace, which opens in ui.perfetto.dev or chrome://tracing: one row per engine.

One microsecond of the trace is one clock cycle of the accelerator. An engine accepts the next instruction while it
works on the last, so an event is drawn from the retirement of the one before it, if that is later than its start.
"""

from __future__ import annotations

from typing import Any

from codesign.report.work import Work

PROCESS = 1
STALLS = {
    "token": "waits for tokens", "param": "waits for parameters", "memory": "waits for memory", "drain": "drains",
    "idle": "nothing in the queue",
}  # fmt: skip


def timeline(trace: dict[str, Any], rows: list[Work], title: str) -> dict[str, Any]:
    """The JSON document; ``trace`` is simulation.json, ``rows`` what each instruction does."""
    events = [_named("process_name", 0, title)]
    for number, engine in enumerate(trace["engines"]):
        events += [_named("thread_name", number, engine["name"]), _sorted(number)]
        events += _engine(engine, trace["columns"], rows, number)
    return {
        "displayTimeUnit": "ms",
        "otherData": {"unit": "1 us is 1 clock cycle", "cycles": trace["cycles"]},
        "traceEvents": events,
    }


def _named(what: str, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": PROCESS, "tid": thread, "name": what, "args": {"name": name}}


def _sorted(thread: int) -> dict[str, Any]:
    return {"ph": "M", "pid": PROCESS, "tid": thread, "name": "thread_sort_index", "args": {"sort_index": thread}}


def _engine(engine: dict[str, Any], columns: list[str], rows: list[Work], thread: int) -> list[dict[str, Any]]:
    """An event per instruction; they do not overlap."""
    at = {name: place for place, name in enumerate(columns)}
    events, before = [], 0
    for event in engine["events"]:
        start, retire, work = event[at["start"]], event[at["retire"]], rows[event[at["index"]]]
        begin = min(max(start, before), retire)
        before = max(before, retire)
        stalls = {text: event[at[cause]] for cause, text in STALLS.items() if event[at[cause]]}
        moved = {"bytes read": work.read_bytes, "bytes written": work.write_bytes}
        events.append(
            {
                "ph": "X", "pid": PROCESS, "tid": thread, "ts": begin, "dur": retire - begin, "cat": engine["name"],
                "name": event[at["node"]],
                "args": {"instruction": event[at["index"]], "accepted": start, "retired": retire, "busy": work.issue,
                         **stalls, **{name: size for name, size in moved.items() if size}},
            }  # fmt: skip
        )
    return events
