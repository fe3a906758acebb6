# SPDX-License-Identifier: Apache-2.0
"""A finding in words, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codesign.diff.affine import affine
from codesign.diff.finding import Finding
from codesign.graph.ir import Add

SHOWN = 12  # operands


def lines(finding: Finding) -> Iterator[str]:
    """Layer, place, bits, operands, arithmetic, and the rule that explains it."""
    check, node = finding.check, finding.check.node
    yield (f"first difference: layer {node.name} ({type(node).__name__}), tensor {node.output}, channel {finding.channel}, "
           f"y {finding.y}, x {finding.x}")  # fmt: skip
    yield f"  got  {_bits(finding.got)}"
    yield f"  want {_bits(finding.want)}"
    yield f"  {check.differing:,} of {check.bad.size:,} values of this layer differ, by {check.greatest} at most"
    if finding.taken is not None:
        yield from _operands(finding)
    if finding.got is None:
        yield "  the value was never written: no instruction, a wrong address or a wrong lane mask"
    elif finding.explanation is not None:
        yield f"  {'rule that differs' if finding.explanation.certain else 'likely'}: {finding.explanation}"
    else:
        yield "  no single rule or constant explains it; look at the operands and the waveform"


def _bits(code: int | None) -> str:
    return "never written" if code is None else f"{code:4d}  {code & 0xFF:08b}"


def _operands(finding: Finding) -> Iterator[str]:
    taken = finding.taken
    assert taken is not None
    order = sorted(range(len(taken.weights)), key=lambda k: -abs(int(taken.weights[k]) * int(taken.codes[k, 0])))
    yield f"  made of {len(order)} operands (the largest products first):"
    for k in order[:SHOWN]:
        weight, code = int(taken.weights[k]), int(taken.codes[k, 0])
        place = f"y {int(taken.y[k, 0])}, x {int(taken.x[k, 0])}" if taken.inside[k, 0] else "padding"
        which = finding.check.node.inputs[int(taken.source[k])]
        yield f"    {weight:>6} x {code:>4} = {weight * code:>8}   {which} channel {int(taken.channel[k])}, {place}"
    if len(order) > SHOWN:
        yield f"    and {len(order) - SHOWN} more"
    last = affine(finding.check.node, finding.channel, finding.check.zero_points)
    if last is not None:
        acc = taken.sums
        total, before = int(acc[0]), int(last.rounded(acc)[0])
        head = "" if isinstance(finding.check.node, Add) else f" * {last.multiplier}"
        yield (f"  sum {total}; ({total}{head} + {last.bias}) / 2**{last.shift} = {int(last.scaled(acc)[0]) / 2**last.shift:.6f}, "
               f"to even and + {last.zero_point}: {before}, clamped to {last.lo}..{last.hi}: {int(last.codes(acc)[0])}")  # fmt: skip


def document(finding: Finding) -> dict[str, Any]:
    """The same for other programs."""
    found = finding.explanation
    return {
        "layer": finding.check.node.name, "operator": type(finding.check.node).__name__, "tensor": finding.check.node.output,
        "channel": finding.channel, "y": finding.y, "x": finding.x, "got": finding.got, "want": finding.want,
        "differing": finding.check.differing, "values": int(finding.check.bad.size),
        "rule": found.rule if found else None, "certain": bool(found and found.certain),
    }  # fmt: skip
