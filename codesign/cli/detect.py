# SPDX-License-Identifier: Apache-2.0
def detect_command() -> None:
    """Soon."""
