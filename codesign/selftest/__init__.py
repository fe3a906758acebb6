# SPDX-License-Identifier: Apache-2.0
"""A tiny detector whose answers are known, to try a driver, a board or a bitstream with.

`network` is the detector, `session` a virtual board with it, `operations` random ones of the driver there, `campaigns` many of them.
"""

from codesign.selftest.campaigns import Tally, campaign
from codesign.selftest.operations import OPERATIONS, Operations
from codesign.selftest.session import Wrong

__all__ = ["OPERATIONS", "Operations", "Tally", "Wrong", "campaign"]
