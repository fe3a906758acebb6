# SPDX-License-Identifier: Apache-2.0
"""Fault injection: what the accelerator, its driver and the checks around them make of things that go wrong.

`victims` are the networks that run, `room` the memory around one with guards on both sides, `injections` what is done to
it, `trial` one injection and the frame after it, `campaign` many of them, `text` prints.
"""

from codesign.faults.injections import KINDS
from codesign.faults.trial import Result

__all__ = ["KINDS", "Result"]
