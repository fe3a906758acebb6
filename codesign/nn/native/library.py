# SPDX-License-Identifier: Apache-2.0
"""The kernels compiled once per source, compiler and processor, and loaded with ctypes.

``CODESIGN_NATIVE=0`` goes without them. So does a machine without g++, or where compiling fails.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("kernels.cpp")
# sums may be reordered for vector units; NaN and infinity keep their meaning
FLAGS = ("-std=c++20", "-O3", "-march=native", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math",
         "-fassociative-math", "-fno-signed-zeros", "-ffp-contract=fast")  # fmt: skip
_SECONDS = 120


@functools.cache
def load() -> ctypes.CDLL | None:
    """The library, or None where there is none."""
    compiler = shutil.which("g++")
    if os.environ.get("CODESIGN_NATIVE") == "0" or compiler is None:
        return None
    try:
        return _declared(ctypes.CDLL(str(_compiled(compiler))))
    except (OSError, subprocess.SubprocessError):
        return None


def _compiled(compiler: str) -> Path:
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, timeout=_SECONDS, check=True).stdout
    key = hashlib.sha256(b"|".join([SOURCE.read_bytes(), " ".join(FLAGS).encode(), version, _processor()])).hexdigest()
    path = _folder() / f"kernels-{key[:24]}.so"
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            built = Path(work) / path.name
            subprocess.run([compiler, *FLAGS, "-o", built, SOURCE], capture_output=True, timeout=_SECONDS, check=True)
            os.replace(built, path)
    return path


def _processor() -> bytes:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return "|".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})).encode()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()


def _folder() -> Path:
    """``CODESIGN_CACHE``, or the user's own folder among the temporary ones."""
    named = os.environ.get("CODESIGN_CACHE")
    path = Path(named) if named else Path(tempfile.gettempdir()) / f"codesign-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise OSError(f"{path} belongs to another user")
    return path


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, long, real = ctypes.c_void_p, ctypes.c_long, ctypes.c_float
    for kind in ("f32", "bf16"):
        forward, backward = getattr(library, f"taps_forward_{kind}"), getattr(library, f"taps_backward_{kind}")
        forward.argtypes, forward.restype = [pointer] * 5 + [long, long], None
        backward.argtypes, backward.restype = [pointer] * 9 + [long], None
    library.fake_quant_forward.argtypes, library.fake_quant_forward.restype = [pointer] * 2 + [real] * 3 + [long], None
    library.fake_quant_backward.argtypes = [pointer] * 3 + [real] * 3 + [long]
    library.fake_quant_backward.restype = ctypes.c_double
    return library
