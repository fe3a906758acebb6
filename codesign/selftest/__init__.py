# SPDX-License-Identifier: Apache-2.0
"""A tiny detector whose answers are known, to try a driver, a board or a bitstream with.

`network` is the detector, `session` random operations of the driver on a virtual board, `campaigns` many of them.
"""

from codesign.selftest.campaigns import Tally, campaign
from codesign.selftest.session import OPERATIONS, Session, Wrong

__all__ = ["OPERATIONS", "Session", "Tally", "Wrong", "campaign"]
