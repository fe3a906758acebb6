# SPDX-License-Identifier: Apache-2.0
"""`codesign doctor`: what is installed, and what each missing tool disables."""

from __future__ import annotations

from codesign.cli.build import Json
from codesign.cli.output import console, write_json


def doctor_command(json: Json = None) -> int:
    """List tools and versions; exit code 1 if something that `codesign build` needs is missing."""
    from codesign.doctor import examine

    tools, out = examine(), console()
    width = max(len(tool.name) for tool in tools)
    for tool in tools:
        if tool.version is not None:
            out.print(f"{tool.name:<{width}}  {tool.version}")
        else:
            out.print(f"{tool.name:<{width}}  missing: {tool.disables}; {tool.remedy}", style="yellow")
    write_json(json, [{"name": t.name, "version": t.version, "disables": t.disables} for t in tools])
    missing = [tool.name for tool in tools if tool.version is None and tool.needed]
    out.print(f"codesign build cannot run without {', '.join(missing)}" if missing else "codesign build has all it needs")
    return 1 if missing else 0
