# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.mutation`: are the tests of the numeric contract and of golden able to see a wrong one?"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.mutation import campaign
from tests.mutation.score import table

LEAST = 0.95


def main() -> int:
    """0 when at least 95 % of the mutants that differ are killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("build/mutation.jsonl"), help="kept, and resumed from")
    parser.add_argument("--table", action="store_true", help="print the table of the results there are; run nothing")
    args = parser.parse_args()
    args.results.parent.mkdir(parents=True, exist_ok=True)
    if not args.table:
        with tempfile.TemporaryDirectory() as folder:
            campaign.run(args.results, Path(folder).resolve() / "tree")
    text, score = table(campaign.earlier(args.results))
    print(text)
    return 0 if score >= LEAST else 1


if __name__ == "__main__":
    raise SystemExit(main())
