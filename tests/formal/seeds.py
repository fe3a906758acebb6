# SPDX-License-Identifier: Apache-2.0
"""A module with a bug: its own source with one piece of text replaced."""

from __future__ import annotations

import importlib
import inspect
import itertools
import sys
import types

_number = itertools.count()


def original(module: str) -> types.ModuleType:
    return importlib.import_module(module)


def seeded(module: str, old: str, new: str) -> types.ModuleType:
    """A second ``module`` whose source has ``new`` in place of ``old``; the original stays as it is."""
    text = inspect.getsource(original(module))
    if text.count(old) != 1:
        raise ValueError(f"{module} has {old!r} {text.count(old)} times, not once")
    broken = types.ModuleType(f"{module}_seeded{next(_number)}")
    broken.__file__ = f"<{module}, seeded>"
    sys.modules[broken.__name__] = broken  # where dataclasses look for their names
    exec(compile(text.replace(old, new), broken.__file__, "exec", dont_inherit=True), broken.__dict__)
    return broken
