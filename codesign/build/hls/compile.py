# SPDX-License-Identifier: Apache-2.0
"""compile: the project's C++ as it lies in the folder, compiled by g++ with hls4ml's own script."""

from __future__ import annotations

import shutil

from codesign.build.artefacts import file_hash, text_hash
from codesign.build.children import Child
from codesign.build.hls.project import FOLDER
from codesign.build.step import DONE, FAILED, Context, Outcome, Step
from codesign.errors import UserError
from codesign.hls import PROJECT

LIBRARY = f"{FOLDER}/csim.so"
LOG = f"{FOLDER}/compile.log"


def project_hash(context: Context, suffixes: tuple[str, ...]) -> str:
    """Of the project's own files with these suffixes; hls4ml's copy of the ap_ types and what tools make are left out."""
    root = context.path(FOLDER)
    files = sorted(path for path in (*root.glob("*"), *(root / "firmware").rglob("*")) if path.suffix in suffixes and "ap_types" not in path.parts)
    return text_hash(*((str(path.relative_to(root)), file_hash(path)) for path in files))


class CompileStep(Step):
    name = "compile"
    outputs = (LIBRARY,)

    def inputs(self, context: Context) -> dict[str, str]:
        return {"project": project_hash(context, (".cpp", ".h", ".sh"))}

    def run(self, context: Context) -> Outcome:
        if shutil.which("g++") is None:
            raise UserError("g++ not found, and the C simulation needs it; install it with the system's package manager")
        folder = context.path(FOLDER).resolve()
        for stale in (folder / "firmware").glob(f"{PROJECT}-*.so"):
            stale.unlink()
        context.progress("g++ is at work")
        child = Child(["bash", "build_lib.sh"], context.path(LOG), folder)
        try:
            code = child.wait()
        finally:
            child.end()
        built = next((folder / "firmware").glob(f"{PROJECT}-*.so"), None)
        if code or built is None:
            return Outcome(FAILED, f"g++ ended with an error: {_first_error(child)}; see {context.path(LOG)}")
        built.replace(context.path(LIBRARY))
        return Outcome(DONE, f"C simulation of {context.path(LIBRARY).stat().st_size / 1e6:.1f} MB")


def _first_error(child: Child) -> str:
    lines = child.log.read_text(errors="replace").splitlines()
    return next((line.strip()[:160] for line in lines if "error" in line.lower()), child.last_line())
