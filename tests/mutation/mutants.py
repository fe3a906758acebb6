# SPDX-License-Identifier: Apache-2.0
"""Mutants of a Python file: each differs from it in one operator, number, bound, rounding, call or statement."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

ARITHMETIC: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitAnd,),
}
#: the boundary moved by one, and the opposite
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
#: functions and methods, by their last name
CALLS = {
    "min": ("max",),
    "max": ("min",),
    "minimum": ("maximum",),
    "maximum": ("minimum",),
    "argmax": ("argmin",),
    "any": ("all",),
    "all": ("any",),
    "rint": ("floor", "trunc"),
    "zeros": ("ones",),
}
ROUNDINGS = {"round": ("math.floor", "math.trunc", "math.ceil")}  # `math` is imported where `round` is used
TYPES = {
    "int64": ("int32",),
    "int16": ("int8",),
    "int8": ("uint8",),
    "uint8": ("int8",),
    "float64": ("float32",),
    "float32": ("float16",),
}


@dataclass(frozen=True)
class Mutant:
    """``source`` is the whole changed file; ``before`` and ``after`` are the smallest expression that shows it."""

    where: str  # function
    line: int
    kind: str
    before: str
    after: str
    statement: str
    nth: int  # of those that read alike
    source: str

    @property
    def name(self) -> str:
        """What stays the same when lines move."""
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.where}: {self.statement} | {self.before} -> {self.after}{again}"


def mutants(text: str) -> Iterator[Mutant]:
    """Every mutant of the Python source ``text``; docstrings, annotations, imports and messages stay as they are."""
    body = ast.parse(text).body
    parts = [ast.unparse(item) for item in body]
    alike: Counter[tuple[str, ...]] = Counter()
    for i, item in enumerate(body):
        part = ast.Module([item], [])
        seen = {parts[i]}
        for node, where, statement in list(_places(part, "module", part)):
            for kind, changed in _changes(node):
                _swap(part, node, changed)
                mine = ast.unparse(part)
                _swap(part, changed, node)
                if mine in seen:
                    continue
                seen.add(mine)
                words = (where, ast.unparse(statement).splitlines()[0], ast.unparse(node), ast.unparse(changed))
                alike[words] += 1
                line = getattr(node, "lineno", statement.lineno)
                source = "\n".join([*parts[:i], mine, *parts[i + 1 :]])
                yield Mutant(where, line, kind, *words[2:], words[1], alike[words], source)


def _places(node: ast.AST, where: str, statement: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
    """(node, function, statement) of everything that may change."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or field in ("annotation", "returns", "decorator_list"):
                continue
            if isinstance(child, ast.Import | ast.ImportFrom) or _is_text(child) or _is_all(child):
                continue
            inner = child.name if isinstance(child, ast.FunctionDef | ast.ClassDef) else where
            here = child if isinstance(child, ast.stmt) else statement
            yield child, inner, here
            yield from _places(child, inner, here)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_all(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(kind, replacement) of one node."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for op in ARITHMETIC.get(type(node.op), ()):
            yield "arithmetic", _with(node, op=op())
    elif isinstance(node, ast.UnaryOp):
        yield "arithmetic", node.operand
    elif isinstance(node, ast.BoolOp):
        yield "logic", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.Compare):
        for i, was in enumerate(node.ops):
            for op in COMPARISONS[type(was)]:
                yield "comparison", _with(node, ops=[*node.ops[:i], op(), *node.ops[i + 1 :]])
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Attribute):
        for name in TYPES.get(node.attr, ()) if ast.unparse(node.value) == "np" else ():
            yield "width", _with(node, attr=name)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Raise):
        yield "statement", ast.copy_location(ast.Pass(), node)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "return", _with(node, value=ast.Constant(None))
        if isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
            yield "return", _with(node, value=ast.Tuple([*node.value.elts[1:], node.value.elts[0]], ast.Load()))


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "off by one", ast.Constant(value + 1)
        yield "off by one", ast.UnaryOp(ast.USub(), ast.Constant(1)) if value == 0 else ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(value * 2 if value else 1.0)
        yield "constant", ast.Constant(value / 2)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    for other in CALLS.get(name, ()):
        yield "call", _with(node, func=_renamed(func, other))
    for other in ROUNDINGS.get(name, ()):
        yield "rounding", _with(node, func=ast.parse(other, mode="eval").body)
    if name == "clip":
        low, high = len(node.args) - 2, len(node.args) - 1
        for bound in (low, high):
            infinite = ast.parse("-2**40" if bound == low else "2**40", mode="eval").body
            yield "clamp", _with(node, args=[infinite if i == bound else a for i, a in enumerate(node.args)])
    if name in ("abs", "astype", "ascontiguousarray", "copy"):
        yield "call", func.value if name in ("astype", "copy") else node.args[0]


def _renamed(func: ast.expr, name: str) -> ast.expr:
    return _with(func, attr=name) if isinstance(func, ast.Attribute) else ast.Name(name, ast.Load())


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _swap(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                return setattr(parent, field, new)
            if isinstance(value, list):
                for i, item in enumerate(value):
                    if item is old:
                        value[i] = new
                        return None
    raise AssertionError("no such node")
