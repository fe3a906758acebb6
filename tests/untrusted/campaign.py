# SPDX-License-Identifier: Apache-2.0
"""Reads spoiled files in a process of its own, which has little memory and may write nowhere but beside the file.

    python -m tests.untrusted.campaign --group plain --cases 300 --seed 1

prints a line for each case that broke the rule and, last, how many there were. A case that cannot be survived (no answer, a
crash) is the last one begun.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesign.errors import UserError
from tests.untrusted import damage, hostile
from tests.untrusted.kinds import KINDS, Kind

ROOM_BYTES = 640 << 20  #: that a reader may ask for, beside what its process has when it begins
CPU_SECONDS = 8
MOST_TEXT = 700  #: characters of a message
_REMEDY = re.compile(r"; |must |known: |is missing")  #: what to do, or the rule that the value breaks
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree", "os.chmod")
_RUNS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class", "socket.connect", "ctypes.dlopen")


class NoEnd(BaseException):
    """The reader took longer than any sound file would."""


class Watch:
    """Hears of every file opened for writing and every program started, and keeps what is not allowed."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.broken: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if (event == "open" and isinstance(given[2], int) and given[2] & _WRITING) or event in _CHANGES:
            path = _place(event, os.fsdecode(given[0])) if isinstance(given[0], str | bytes) else ""
            if path and not path.startswith((self.folder, "/dev/null")):
                self.broken.append(f"{event} of {path}")
        elif event in _RUNS:
            self.broken.append(f"{event} {str(given)[:80]}")


def _place(event: str, path: str) -> str:
    """What is changed: a link itself where it is removed or replaced, else where it leads."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.realpath(path) if event == "open" else os.path.join(os.path.realpath(folder), name)


def cases(name: str, sound: bytes, count: int, seed: int, thin: bool) -> Iterator[hostile.Case]:
    """The files made by hand, then ``count`` spoiled ones; of a kind with a share less of both, made by hand only if ``thin``."""
    form, share = KINDS[name].form, KINDS[name].share
    made = [*hostile.everywhere(sound), *(form.hostile(sound) if form.hostile is not None else ())]
    yield from made[seed % round(1 / share) :: round(1 / share)] if thin else made
    for number in range(max(1, int(count * share))):
        noise = random.Random(f"{name} {seed} {number}")
        said, data = (damage.of_bytes if noise.random() < 0.3 else form.edit)(sound, noise)
        yield f"{seed}/{number}: {said}", lambda path, data=data: path.write_bytes(data) and None  # type: ignore[misc]


def judged(kind: Kind, path: Path, watch: Watch) -> str:
    """What is wrong with how a file is read; empty if nothing is."""
    watch.broken.clear()
    watch.folder = os.path.realpath(path.parents[len(path.parents) - 1 - _depth(path)])
    tempfile.tempdir = watch.folder  # what is unpacked on the way counts as beside the file
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * CPU_SECONDS)  # nobody hears SIGVTALRM: ends what does not come back to Python
    try:
        kind.read(path)
        problem = ""
    except UserError as error:
        problem = _message(error)
    except NoEnd:
        problem = f"no end within {CPU_SECONDS} s"
    except BaseException as error:
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{_where(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        watch.folder = tempfile.tempdir = None
    return problem or "; ".join(watch.broken[:3])


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and "codesign/codesign" in trace.tb_next.tb_frame.f_code.co_filename.replace("untrusted", "codesign"):
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""


def _message(error: UserError) -> str:
    text, cause = str(error), error.__context__
    while cause is not None:
        if isinstance(cause, MemoryError):
            return f"asked for more than {ROOM_BYTES >> 20} MiB before it refused: {text}"
        cause = cause.__context__
    if "\n" in text or "\r" in text or not text.isprintable():
        return f"not one printable line: {text!r}"
    if len(text) > MOST_TEXT:
        return f"{len(text)} characters: {text[:200]}"
    return "" if _REMEDY.search(text) else f"no remedy: {text}"


def _depth(path: Path) -> int:
    return next(n for n, parent in enumerate(reversed(path.parents)) if parent.name == "case")


def run(names: list[str], count: int, seed: int, thin: bool) -> int:
    """Every case of these kinds; prints what is broken, returns how many cases there were."""
    watch, done = Watch(), 0
    with tempfile.TemporaryDirectory(prefix="untrusted-") as scratch:
        sounds = {name: _sound(KINDS[name], Path(scratch) / str(n)) for n, name in enumerate(names)}
        room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        for name, path in sounds.items():
            for said, write in cases(name, path.read_bytes(), count, seed, thin):
                done += 1
                _say(f"case {name}: {said}")
                problem = _one(KINDS[name], path, write, Path(scratch) / "now", watch)
                if problem:
                    print(f"BROKEN {name}: {said}: {problem}".encode(errors="backslashreplace").decode(), flush=True)
    return done


def _sound(kind: Kind, folder: Path) -> Path:
    """A sound file in a folder called case, which its reader accepts."""
    (folder / "case").mkdir(parents=True)
    path = kind.make(folder / "case")
    before = path.read_bytes()
    shutil.copytree(folder, folder.with_name("first"))
    kind.read(folder.with_name("first") / path.relative_to(folder))
    shutil.rmtree(folder.with_name("first"))
    assert path.read_bytes() == before
    return path


def _one(kind: Kind, sound: Path, write: Any, folder: Path, watch: Watch) -> str:
    root = sound.parents[len(sound.parents) - 1 - _depth(sound)]
    shutil.copytree(root, folder / "case")
    path = folder / "case" / sound.relative_to(root)
    write(path)
    try:
        return judged(kind, path, watch)
    finally:
        shutil.rmtree(folder)


def _say(text: str) -> None:
    print(zlib.crc32(text.encode(errors="replace")), text.encode("ascii", "replace").decode()[:150], file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--group", default="")
    parser.add_argument("--kind", default="")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--thin", action="store_true", help="fewer of the files made by hand where reading is slow")
    given = parser.parse_args()
    signal.signal(signal.SIGPROF, _out_of_time)
    warnings.simplefilter("error", RuntimeWarning)
    names = [name for name, kind in KINDS.items() if given.group in ("", kind.group) and given.kind in ("", name)]
    print(f"{run(names, given.cases, given.seed, given.thin)} cases of {len(names)} kinds")


def _out_of_time(*_: object) -> None:
    raise NoEnd


if __name__ == "__main__":
    main()
