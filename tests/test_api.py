# SPDX-License-Identifier: Apache-2.0
"""The Python interface exports what it says, without PyTorch or Amaranth."""

from __future__ import annotations

import subprocess
import sys

from codesign import api


def test_names_are_there():
    assert all(hasattr(api, name) for name in api.__all__)


def test_importing_it_is_light():
    """And so is the command line, which starts in well under a second."""
    code = (
        "import sys; import codesign.api, codesign.cli; "
        "bad = {'torch', 'brevitas', 'amaranth', 'onnx', 'hls4ml', 'sklearn', 'cocotb'} & set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
