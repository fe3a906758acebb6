# SPDX-License-Identifier: Apache-2.0
"""The driver runs where a board's image has Python 3.8 and NumPy, and nothing else of this project's."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codesign.package import driver_files

#: Everything this project depends on but NumPy
BLOCKED = ("torch", "brevitas", "amaranth", "safetensors", "onnx", "qonnx", "hls4ml", "PIL", "matplotlib", "typer", "rich",
           "sklearn", "scipy", "cocotb", "pynq", "tomllib")  # fmt: skip
CHECK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
import numpy as np
from codesign.runtime import Detector, Package, PackageError
from codesign.decode import decode_codes
import codesign.runtime.pynq, codesign.runtime.benchmark
assert codesign.__file__.startswith({folder!r}), codesign.__file__
package = Package.read({package!r})
noise = np.random.RandomState(1)
codes = {{role: noise.randint(-128, 128, t.shape).astype(np.int8) for role, t in package.description.outputs.items()}}
found = decode_codes(codes, {{role: (t.scale, t.zero_point) for role, t in package.description.outputs.items()}})
print(len(found.scores), found.boxes.sum())
"""


def unpacked(folder: Path) -> Path:
    """The driver as it comes out of a package."""
    for name, text in driver_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


def run(python: str, folder: Path, package: Path) -> str:
    code = CHECK.format(blocked=set(BLOCKED), folder=str(folder), package=str(package))
    done = subprocess.run([python, "-c", code], cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [name for name in driver_files() if name.endswith(".py")])
def test_every_file_is_python_3_8(name: str) -> None:
    tree = ast.parse(driver_files()[name], name, feature_version=(3, 8))
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    assert not called & {"removeprefix", "removesuffix", "bit_count"}, "methods later than 3.8"
    keywords = {keyword.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords}
    assert not keywords & {"strict", "slots", "kw_only"}, "arguments later than 3.8"


def test_the_driver_imports_only_what_is_packed_with_it() -> None:
    packed = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in driver_files()}
    for name, text in driver_files().items():
        for node in ast.walk(ast.parse(text)):
            wanted = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for module in wanted:
                assert not module.startswith(("codesign", "sim", "hw", "boards")) or module in packed, f"{name} imports {module}"


def test_the_packed_driver_runs_with_numpy_alone(package: Path, tmp_path: Path) -> None:
    assert run(sys.executable, unpacked(tmp_path), package).split()[0].isdigit()


def test_an_old_python_gives_the_same_boxes(package: Path, tmp_path: Path) -> None:
    """With the oldest of these that is installed and has NumPy."""
    for version in ("3.8", "3.9", "3.10"):
        python = shutil.which(f"python{version}")
        if python and subprocess.run([python, "-c", "import numpy"], capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("skipped: no Python 3.8, 3.9 or 3.10 with NumPy on the PATH")
    folder = unpacked(tmp_path)
    assert run(python, folder, package) == run(sys.executable, folder, package)


