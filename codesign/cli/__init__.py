# SPDX-License-Identifier: Apache-2.0
"""The `codesign` command. One file per command; what a user did wrong is one line and exit code 2."""

from codesign.cli.app import main

__all__ = ["main"]
