# SPDX-License-Identifier: Apache-2.0
"""The command line of a build, for a report."""

from __future__ import annotations

import shlex

from codesign.build.options import BuildOptions
from codesign.nn.layer_bits import shown


def command_line(options: BuildOptions) -> str:
    """`codesign build` with these options; those with their defaults are left out."""
    plain = BuildOptions.__dataclass_fields__
    words = ["codesign", "build", "--board", options.board, "--config", options.config]
    for name in ("model", "image", "input", "height", "width", "weight_bits", "form", "out", "backend"):
        value = getattr(options, name)
        if value != plain[name].default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    if options.layer_bits:
        words += ["--layer-bits", shown(options.layer_bits)]
    return shlex.join(words)
