# SPDX-License-Identifier: Apache-2.0
"""`codesign build`: a visible list of steps, each with its artefact in one folder, kept when nothing changed.

`options` is what the user asked for, `artefacts` the folder with its hashes, `record` what each step left,
`runner` decides what runs, `steps/` holds one file per step.
"""

from codesign.build.options import BuildOptions
from codesign.build.runner import BuildResult, StepResult, build

__all__ = ["BuildOptions", "BuildResult", "StepResult", "build"]
