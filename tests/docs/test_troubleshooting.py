# SPDX-License-Identifier: Apache-2.0
"""Every message of docs/troubleshooting.md is one that the sources hold."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
GAP = "\0"


@cache
def templates() -> tuple[str, ...]:
    """Every text in the sources, its values left out."""
    found = []
    for top in ("codesign", "hw", "sim"):
        for path in sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return tuple(found)


def said(message: str, template: str) -> bool:
    """Whether the message, with … for values, is in a text of the sources, its pieces in order."""
    at = 0
    for piece in filter(str.strip, message.split("…")):
        at = template.find(piece.strip(" "), at)
        if at < 0:
            return False
        at += len(piece.strip(" "))
    return True


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_of_the_page_is_in_the_sources(message: str) -> None:
    assert any(said(message, template) for template in templates())


def test_the_page_says_enough() -> None:
    assert len(MESSAGES) > 60 and len(set(MESSAGES)) == len(MESSAGES)
