# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the hls4ml back end's tests."""

from tests.build.fakes import fast

__all__ = ["fast"]
