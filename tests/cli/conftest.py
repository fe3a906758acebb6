# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the command line's tests."""

from tests.build.fakes import fast

__all__ = ["fast"]
