# SPDX-License-Identifier: Apache-2.0
"""Equal modules of a generated Verilog text as one, so that synthesis works on each only once.

Amaranth writes a module per instance; copies differ in generated names alone. Those are renumbered, children first,
and modules with the same text become one. Memories lose their zeros at power-up, which an FPGA has anyway and which take
Yosys longer to read than all the rest. Only synthesis estimates use it; simulation runs the text as it lies there.
"""

from __future__ import annotations

import re

_MODULE = re.compile(r"^module (\\?\S+?)\s*\((.*?)^endmodule", re.S | re.M)
_GENERATED = re.compile(r"\\(?:port|\$auto)\$[^ ]*\$\d+ ")
_INSTANCE = re.compile(r"^  (\\\S+)  (\\?\S+) +\($(.*?)^  \);$", re.S | re.M)
_CONNECTION = re.compile(r"^    \.(\\port\$\S+\$\d+ )", re.M)
_CLEAR = re.compile(r"  initial begin : clear_\w+\n    integer row;\n    for [^\n]*\n  end\n")
_HELD = "\\\0port$"  # a child's port, which the parent's renumbering must not touch


def unify(verilog: str) -> str:
    """The same design; text that is not Amaranth's comes back with its modules as they are."""
    modules = {match[1]: match[2] for match in _MODULE.finditer(_CLEAR.sub("", verilog))}
    renamed: dict[str, dict[str, str]] = {}
    same_as: dict[str, str] = {}
    first: dict[str, str] = {}
    kept: dict[str, str] = {}
    for name in sorted(modules, key=lambda name: -name.count(".")):
        body, names = _renumbered(modules[name], modules, renamed, same_as)
        renamed[name] = names
        same_as[name] = first.setdefault(body, name)
        if same_as[name] == name:
            kept[name] = body
    return "\n".join(f"module {name} ({body}endmodule\n" for name, body in reversed(kept.items()))


def _renumbered(
    body: str, modules: dict[str, str], renamed: dict[str, dict[str, str]], same_as: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """A module's text with generated names counted in order of appearance, and what each became."""

    def instance(match: re.Match[str]) -> str:
        child = match[1]
        if child not in modules:
            return match[0]
        ports = renamed.get(child, {})
        connections = _CONNECTION.sub(
            lambda port: "    ." + ports.get(port[1], port[1]).replace("\\port$", _HELD), match[3]
        )
        return f"  {same_as.get(child, child)}  {match[2]} ({connections}  );"

    names: dict[str, str] = {}
    body = _INSTANCE.sub(instance, body)
    body = _GENERATED.sub(lambda match: names.setdefault(match[0], f"\\port${len(names)} "), body)
    return body.replace(_HELD, "\\port$"), names
