# SPDX-License-Identifier: Apache-2.0
"""report.json: what a build found, for other programs. Keys are added, never changed."""

from codesign.report.report import SCHEMA, make_report

__all__ = ["SCHEMA", "make_report"]
