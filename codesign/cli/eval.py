# SPDX-License-Identifier: Apache-2.0
def eval_command() -> None:
    """Soon."""
