# SPDX-License-Identifier: Apache-2.0
"""Driving an accelerator, simulated or real; NumPy is all it needs."""
