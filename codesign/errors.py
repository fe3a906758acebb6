# SPDX-License-Identifier: Apache-2.0
"""The one exception a user is meant to see: one line, with a remedy. The CLI prints it and exits with code 2."""


class UserError(Exception):
    """Wrong input, a missing tool or a limit of the hardware; the message says what to do about it."""
