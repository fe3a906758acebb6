# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.cli``."""

import sys

from codesign.cli import main

if __name__ == "__main__":
    sys.exit(main())
