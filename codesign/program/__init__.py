# SPDX-License-Identifier: Apache-2.0
"""The accelerator's program: configuration, instruction layout, encoding and disassembly (NumPy only)."""
