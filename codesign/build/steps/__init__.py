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


def all_steps() -> list[Step]:
    """A fresh list for one build."""
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
