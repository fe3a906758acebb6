# SPDX-License-Identifier: Apache-2.0
"""Quantisation without training: calibrate, correct, measure what each layer costs."""
