# SPDX-License-Identifier: Apache-2.0
"""The build's steps for the hls4ml back end, one file each."""

from codesign.build.hls.agree import AgreeStep
from codesign.build.hls.compile import CompileStep
from codesign.build.hls.csim import CsimStep
from codesign.build.hls.da4ml import Da4mlStep
from codesign.build.hls.project import ProjectStep
from codesign.build.hls.vendor import VendorStep
from codesign.build.step import Step


def hls_steps() -> list[Step]:
    """A fresh list of what comes between golden and report."""
    return [ProjectStep(), CompileStep(), CsimStep(), Da4mlStep(), VendorStep()]


__all__ = ["AgreeStep", "hls_steps"]
