# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.formal`: runs every proof and its seeded bugs, and prints them as the table of docs/proofs.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.formal.proofs import PROOFS
from tests.formal.prover import missing

HEAD = "| proof | of | holds | how | seconds | seeded bugs, each caught |\n|---|---|---|---|---:|---|"


def main() -> int:
    """0 when every proof holds and every seeded bug makes its proof fail."""
    parser = argparse.ArgumentParser(prog="python -m tests.formal", description=__doc__)
    parser.add_argument("names", nargs="*", help="of proofs; all without")
    parser.add_argument("--list", action="store_true", help="the list alone: prove nothing")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in PROOFS]
    if unknown or (missing() and not args.list):
        print(f"no proof {unknown}; there are {list(PROOFS)}" if unknown else f"not installed: {missing()}", file=sys.stderr)
        return 2
    print(HEAD, flush=True)
    return max(_row(name, args.list) for name in args.names or PROOFS)


def _row(name: str, listed: bool) -> int:
    proof = PROOFS[name]
    holds, seconds = (True, 0.0) if listed else _timed(proof.holds)
    caught, missed = [], not holds
    for bug in proof.bugs:
        found, took = (True, 0.0) if listed else _timed(lambda folder, bug=bug: proof.finds(bug, folder))
        caught.append(bug + ("" if listed else f" ({took:.1f} s)" if found else " (**not caught**)"))
        missed = missed or not found
    claim = proof.claim if holds else f"**does not hold:** {proof.claim}"
    took = "" if listed else f"{seconds:.1f}"
    print(f"| {name} | `{proof.module}` | {claim} | {proof.how} | {took} | {'; '.join(caught)} |", flush=True)
    return int(missed)


def _timed(check: Callable[[Path], bool]) -> tuple[bool, float]:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder)), time.monotonic() - start


if __name__ == "__main__":
    raise SystemExit(main())
