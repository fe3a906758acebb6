# SPDX-License-Identifier: Apache-2.0
"""The HTML reports: complete in themselves, and in a browser without a complaint."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from codesign.decode import Detections
from codesign.report.html import axes
from codesign.report.html.engine_charts import efficiency, roofline, timeline
from codesign.report.html.page import Section, figure, page
from codesign.report.html.pareto_chart import pareto
from codesign.report.html.picture import picture
from codesign.report.html.resource_chart import resources
from tests.report.browser import MISSING, Browser, browser_path

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082")


def _points(count: int = 60) -> list[dict]:
    found = []
    for n in range(count):
        ms = 2 + n * 0.4
        found.append({"network": "b-plain" if n % 2 else "b-square", "design": f"pynq-z2:array_out={n}", "board": "pynq-z2", "ap50": 0.9 - 1 / (n + 2),
                      "latency_ms": ms, "fps": 1000 / ms, "cycles": int(ms * 1e5), "fidelity": "rtl" if n == 4 else "planned" if n < 9 else "estimated",
                      "front": n < 9, "lut": 30000, "ff": 30000, "dsp": 220, "bram36": 100.5, "energy_uj": 9.0, "area": 0.5})  # fmt: skip
    return found


@pytest.fixture(scope="session")
def document(profiled, tmp_path_factory) -> Path:
    """A page with every chart."""
    found = Detections(np.array([[4.0, 4, 30, 30]]), np.array([0.9]), np.array([0]))
    drawn, count = picture(PNG, (64, 64), found, ["<seven>"], 0.3)
    assert count == 1
    sections = [
        Section("Pareto", pareto(_points())), Section("Efficiency", efficiency(profiled.shares)), Section("Roofline", roofline(profiled.shares, profiled.board)),
        Section("Timeline", timeline(profiled.trace)), Section("Resources", resources(profiled.board, None)), Section("Detections", figure("detections", drawn, "")),
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page("All <charts>", "<p>lead</p>", sections))
    return path


def test_a_page_needs_no_network_and_escapes_names(document):
    text = document.read_text()
    assert "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert not re.findall(r"@import|url\(", text)
    assert "&lt;seven&gt;" in text and "<seven>" not in text
    assert "All &lt;charts&gt;" in text


def test_points_on_the_chart_are_the_points(document):
    text = pareto(_points())
    assert text.count("<circle") == 60
    assert text.count("rtl") == 1
    assert pareto([]) == ""


@pytest.mark.parametrize("low,high,log", [(0.2, 0.9, False), (1.5, 2.6, True), (1, 1e6, True), (0.001, 0.02, True), (5, 5.001, False)])
def test_axes_have_round_ticks_inside(low, high, log):
    scale = axes.Scale(low, high, 0, 100, log)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 8
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = browser_path()
    if path is None:
        pytest.skip(MISSING)
    found = Browser(path, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


CHARTS = ("pareto", "efficiency", "roofline", "timeline", "resources", "detections")


@pytest.mark.parametrize("width,dark", [(1280, False), (390, True)], ids=["desktop", "phone-dark"])
def test_in_chromium_charts_are_there_and_hover_works(browser, document, width, dark):
    browser.errors.clear()
    browser.open(document, width, dark=dark)
    for chart in CHARTS:
        size = browser.run(f"(() => {{ const b = document.querySelector('[data-chart={chart}] svg').getBoundingClientRect(); return b.width * b.height }})()")
        assert size > 10_000, chart
        x, y, tip = browser.run(
            f"(() => {{ const m = document.querySelector('[data-chart={chart}] [data-tip]'); m.scrollIntoView({{block: 'center', inline: 'center'}});"
            " const b = (m.querySelector('rect') || m).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2, m.dataset.tip] })()"
        )
        browser.point(2, 2)
        assert browser.run("getComputedStyle(document.getElementById('tip')).display") == "none"
        browser.point(x, y)
        assert browser.run("document.getElementById('tip').style.display") == "block", chart
        assert browser.run("document.getElementById('tip').textContent"), (chart, tip)
    assert browser.run("document.documentElement.scrollWidth") <= width  # nothing but charts and tables scrolls sideways
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") != dark
    assert browser.errors == []
    assert all(url.startswith(("file:", "data:", "about:")) for url in browser.requests)


def test_on_paper_it_is_light_and_wide_charts_fit(browser, document):
    browser.open(document, 794, dark=True, media="print")
    assert browser.run("getComputedStyle(document.body).getPropertyValue('--paper')").strip() == "#fff"
    assert browser.run("document.documentElement.scrollWidth") <= 794
