# SPDX-License-Identifier: Apache-2.0
"""The mutation score as a table, with every survivor."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

from tests.mutation.campaign import FILES, KILLED, SURVIVED, TIMEOUT, all_mutants

#: file -> {mutant's name: why no test can tell it from the original}
EQUIVALENT: dict[str, dict[str, str]] = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text())


def table(results: dict[tuple[str, str], dict]) -> tuple[str, float]:
    """(text, killed share of the mutants that are not equivalent). A mutant without a result counts as not killed."""
    counts: dict[str, Counter] = {file: Counter() for file in FILES}
    equivalent, survivors = [], []
    for file, mutant in all_mutants():
        row = results.get((file, mutant.name))
        status = row["status"] if row else "not run"
        reason = EQUIVALENT.get(file, {}).get(mutant.name)
        if status == SURVIVED and reason:
            status = "equivalent"
            equivalent.append(f"- `{file}:{mutant.line}` {_code(mutant.name)}: {reason}")
        elif status == SURVIVED:
            survivors.append(f"- `{file}:{mutant.line}` {_code(mutant.name)}")
        counts[file][status] += 1
    total = sum(counts.values(), Counter())
    lines = ["| file | mutants | killed | timed out | equivalent | survived | not run | score |", "|---|" + "---:|" * 7]
    lines += [_line(f"`{file}`", counts[file]) for file in FILES] + [_line("all", total)]
    parts = ["\n".join(lines), f"Survived ({len(survivors)}):", "\n".join(survivors) or "none"]
    parts += [f"Equivalent ({len(equivalent)}):", "\n".join(equivalent) or "none"]
    return "\n\n".join(parts), _score(total)


def _line(name: str, count: Counter) -> str:
    cells = [count[k] for k in (KILLED, TIMEOUT, "equivalent", SURVIVED, "not run")]
    return f"| {name} | {' | '.join(str(c) for c in (count.total(), *cells))} | {_score(count):.2%} |"


def _score(count: Counter) -> float:
    return (count[KILLED] + count[TIMEOUT]) / max(1, count.total() - count["equivalent"])


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"
