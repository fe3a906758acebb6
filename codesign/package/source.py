# SPDX-License-Identifier: Apache-2.0
"""Where a package's content comes from: a build folder as it lies there, or a build up to its plan."""

from __future__ import annotations

from pathlib import Path

from codesign.boards import load_board
from codesign.build.options import BuildOptions
from codesign.build.record import Records
from codesign.build.runner import Listener, build
from codesign.build.step import GRAPH, PROGRAM, Context
from codesign.build.steps.simulate import content
from codesign.errors import UserError
from codesign.package.writer import package_files, write_package

OVERLAY_FILES = {".bit": "overlay/codesign.bit", ".hwh": "overlay/codesign.hwh"}


def built(folder: Path) -> Context:
    """A build folder that holds at least a plan."""
    records = Records(folder / "steps.json")
    if (folder / "steps.json").exists() and not records.about:
        raise UserError(f"{folder / 'steps.json'}: damaged; `codesign build` makes the folder's steps again")
    if "board" not in records.about or not (folder / PROGRAM).is_file() or not (folder / GRAPH).is_file():
        raise UserError(f"{folder}: holds no planned network; `codesign build` makes one")
    options = BuildOptions(records.about["board"], records.about.get("config", "b"), out=folder)
    return Context(options, load_board(options.board), folder, str, str)


def planned(options: BuildOptions, listener: Listener | None = None) -> Context:
    """A build of these options, up to the plan."""
    result = build(options, listener, until="plan")
    failed = next((step for step in result.steps if step.status == "failed"), None)
    if failed is not None:
        raise UserError(f"{failed.name} failed: {failed.reason}; mend it before packaging")
    return Context(options, load_board(options.board), result.folder, str, str)


def package(context: Context, out: Path) -> tuple[int, bool]:
    """Write the package of a build; its size in bytes, and whether it holds an overlay."""
    overlay = {suffix: context.path(name) for suffix, name in OVERLAY_FILES.items()}
    present = all(path.is_file() for path in overlay.values())
    files = package_files(
        context.graph, context.plan.program, context.board, content(context),
        {suffix: path.read_bytes() for suffix, path in overlay.items()} if present else None,
    )  # fmt: skip
    return write_package(out, files), present
