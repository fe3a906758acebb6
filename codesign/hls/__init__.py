# SPDX-License-Identifier: Apache-2.0
"""The hls4ml back end: an integer graph as an hls4ml project, its C simulation compared with golden, da4ml's Verilog."""

PROJECT = "codesign"  # hls4ml's project and top function
