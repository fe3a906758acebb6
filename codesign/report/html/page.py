# SPDX-License-Identifier: Apache-2.0
"""Sections under one heading, with style and script inside: a page that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from codesign.build.artefacts import text_hash

_FOLDER = Path(__file__).parent
#: nothing may be fetched, whatever a name in the page says
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """``body`` is HTML."""

    heading: str
    body: str


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole document. ``lead`` is HTML under the title."""
    style, script = ((_FOLDER / name).read_text() for name in ("style.css", "script.js"))
    body = "\n".join(f"<section><h2>{escape(s.heading)}</h2>\n{s.body}</section>" for s in sections if s.body)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><h1>{escape(title)}</h1>\n{lead}\n{body}\n"
        f'<div id="tip" role="status"></div><script>{script}</script></body></html>\n'
    )


def sources() -> str:
    """Hash of style and script, which a page's content depends on."""
    return text_hash(*((_FOLDER / name).read_text() for name in ("style.css", "script.js")))


def tiles(rows: Iterable[tuple[str, str, str]]) -> str:
    """Figures with what they are: (value, text, "" or good or bad)."""
    cells = "".join(f'<div class="tile {kind}"><b>{escape(value)}</b><span>{escape(text)}</span></div>' for value, text, kind in rows)
    return f'<div class="tiles">{cells}</div>'


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], wrap: Sequence[int] = ()) -> str:
    """A table that scrolls on a phone; columns in ``wrap`` hold long text."""
    top = "".join(f"<th{' class=wrap' if i in wrap else ''}>{escape(head)}</th>" for i, head in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=wrap' if i in wrap else ''}>{escape(str(cell))}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(name: str, drawing: str, caption: str, legend: str = "") -> str:
    """A chart with its name (``data-chart``), legend and caption; it scrolls sideways where a phone is too narrow."""
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure data-chart="{escape(name)}">{legend}<div class="scroll">{drawing}</div>{said}</figure>'


def legend(rows: Iterable[tuple[str, str]]) -> str:
    """(CSS colour, text) pairs."""
    return '<div class="legend">' + "".join(f'<span><i style="background:{colour}"></i>{escape(text)}</span>' for colour, text in rows) + "</div>"


def code(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def data_url(content: bytes, kind: str) -> str:
    """The content as an address in the page itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
