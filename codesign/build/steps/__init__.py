# SPDX-License-Identifier: Apache-2.0
"""The steps in order; one file each."""

from codesign.build.step import Step
from codesign.build.steps.bitstream import BitstreamStep
from codesign.build.steps.golden import GoldenStep
from codesign.build.steps.lower import LowerStep
from codesign.build.steps.plan import PlanStep
from codesign.build.steps.profile import ProfileStep
from codesign.build.steps.report import ReportStep
from codesign.build.steps.rtl import RtlStep
from codesign.build.steps.simulate import SimulateStep
from codesign.build.steps.synthesise import SynthesiseStep
from codesign.build.steps.verilate import VerilateStep


def all_steps(backend: str = "amaranth") -> list[Step]:
    """A fresh list for one build."""
    if backend == "amaranth":
        return _amaranth_steps()
    from codesign.build.hls import AgreeStep, hls_steps

    if backend == "hls4ml":
        return [LowerStep(), GoldenStep(), *hls_steps(), ReportStep()]
    *steps, report = _amaranth_steps()
    return [*steps, *hls_steps(), AgreeStep(), report]


def _amaranth_steps() -> list[Step]:
    return [
        LowerStep(),
        GoldenStep(),
        PlanStep(),
        RtlStep(),
        VerilateStep(),
        SimulateStep(),
        ProfileStep(),
        SynthesiseStep(),
        BitstreamStep(),
        ReportStep(),
    ]
