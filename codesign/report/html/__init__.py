# SPDX-License-Identifier: Apache-2.0
"""Reports as one HTML file that needs nothing else: `build_page` of a build, `sweep_page` of a sweep.

`page` holds sections together with style and script; `charts`, `axes` and the modules named after a chart draw SVG.
"""
