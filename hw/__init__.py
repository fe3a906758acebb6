# SPDX-License-Identifier: Apache-2.0
"""The accelerator in Amaranth: one file per engine or shared block."""
