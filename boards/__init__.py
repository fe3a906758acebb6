# SPDX-License-Identifier: Apache-2.0
"""Board files: one TOML per board, read by `codesign.boards`."""
