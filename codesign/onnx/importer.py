# SPDX-License-Identifier: Apache-2.0
"""ONNX → integer graph. `import_model` gives the graph or one error; `examine` a verdict on every operator."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from codesign.errors import UserError
from codesign.graph.count import parameter_count
from codesign.graph.ir import Conv, DeformConv, Graph, Node, Tensor
from codesign.graph.meta import DETECTOR, HEADS, INPUT_RANGE, check_meta
from codesign.graph.rules import RULES, check
from codesign.numeric import ACC_BITS
from codesign.onnx.model import Model, Operator, Unsupported
from codesign.onnx.normalise import normalise
from codesign.onnx.operators import REWRITES, TABLE
from codesign.onnx.operators.table import ANY_OTHER
from codesign.onnx.reader import checked, read_model
from codesign.onnx.state import State, planar
from codesign.onnx.values import Codes, Raw, Unknown
from codesign.onnx.verdict import SUPPORTED, UNCLEAR, UNSUPPORTED, Verdict


@dataclass(frozen=True, eq=False)
class Import:
    """A verdict on every operator that computes something, in order; ``graph`` if all are supported.

    ``nodes`` and ``tensors`` are what could be lowered in any case; ``origin`` the ONNX operator of each node. ``constants``:
    how many operators became constants. ``producer``: what wrote the file, as the file says.
    """

    graph: Graph | None
    nodes: tuple[Node, ...]
    tensors: dict[str, Tensor]
    verdicts: tuple[Verdict, ...]
    origin: dict[str, str]
    opset: int
    constants: int
    producer: str = ""


def import_model(path: str | Path, acc_bits: int = ACC_BITS) -> Graph:
    """The checked integer graph of an ONNX file; outputs keep their names. Raises UserError, one line, for a broken file and
    for the first operator that cannot be imported."""
    return _graph_of(examine(path, acc_bits), f"{path}: ")


def import_proto(proto: onnx.ModelProto, acc_bits: int = ACC_BITS) -> Graph:
    """As `import_model`, of a model in memory."""
    return _graph_of(examine_proto(checked(proto), acc_bits), "")


def examine(path: str | Path, acc_bits: int = ACC_BITS) -> Import:
    """Every operator of a file judged. Raises UserError only for a file that is broken."""
    proto = read_model(path)
    try:
        return examine_proto(proto, acc_bits)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def examine_proto(proto: onnx.ModelProto, acc_bits: int = ACC_BITS) -> Import:
    """As `examine`, of a model that the reader has checked."""
    with np.errstate(all="ignore"):  # what is not finite is refused by name
        model = normalise(proto)
        work = _Lowering(model)
        work.run()
        graph = work.graph(acc_bits)
    state = work.state
    return Import(
        graph, tuple(state.nodes), state.tensors, tuple(work.verdicts.values()), state.origin, model.opset, len(model.folded), model.producer
    )


def _graph_of(found: Import, where: str) -> Graph:
    if found.graph is not None:
        return found.graph
    raise UserError(where + next(v.problem for v in found.verdicts if v.status == UNSUPPORTED))


class _Lowering:
    """``verdicts`` by operator name, the network's inputs and outputs included where something is wrong with them."""

    def __init__(self, model: Model):
        self.model = model
        self.state = State(model)
        self.verdicts: dict[str, Verdict] = {}

    def run(self) -> None:
        """Lower every operator that an output needs."""
        self._inputs()
        if not any(operator.kind in _QUANTISERS for operator in self.model.operators):
            remedy = "quantise it: Brevitas' export_qonnx, or onnxruntime.quantization.quantize_static with QuantFormat.QDQ"
            self._refuse(Verdict("network", "graph", UNSUPPORTED, "", "has no quantisers: it is a float model", remedy))
        needed = _needed(self.model)
        for operator in self.model.operators:
            if operator.name in needed:
                self._lower(operator)
        for name in self.model.outputs:
            self._output(name)

    def graph(self, acc_bits: int) -> Graph | None:
        """The graph, if everything is supported and it keeps every rule of the numeric contract."""
        state = self.state
        if not self._sound():
            return None
        if state.input is None or not state.nodes:
            self._refuse(Verdict("network", "graph", UNSUPPORTED, "", "computes nothing", "give it a quantised convolution"))
            return None
        outputs = {name: state.values[name].tensor.name for name in self.model.outputs}  # type: ignore[union-attr]
        convolutions = [node for node in state.nodes if isinstance(node, Conv | DeformConv)]
        bits = max((node.weight_bits for node in convolutions), default=8)
        meta = {"config": "onnx", "weight_bits": bits, "act_bits": 8, "trained": True}
        meta |= {INPUT_RANGE: [*state.input_range], **self._about()}
        graph = Graph(state.input, tuple(state.nodes), state.tensors, outputs, meta)
        graph.meta["params"] = parameter_count(graph)
        self._check(graph, acc_bits)
        return graph if self._sound() else None

    def _about(self) -> dict[str, object]:
        """What exporting wrote down about a detector: class names, and how its pictures are fitted."""
        if any(role not in self.model.outputs for role in HEADS):
            return {}
        try:
            found = json.loads(self.model.about or "{}")
        except (ValueError, RecursionError):
            return {}
        return {key: found[key] for key in DETECTOR if key in found} if isinstance(found, dict) else {}

    def _check(self, graph: Graph, acc_bits: int) -> None:
        for node in graph.nodes:
            problem = next((text for text in (rule(graph, node) for rule in RULES) if text), "")
            if problem:
                self._blame(self.state.origin[node.name], problem, "see docs/numeric-contract.md")
        if self._sound():
            try:
                check(graph, acc_bits)
                check_meta(graph)
            except UserError as error:
                rule, _, remedy = str(error).rpartition("; ")
                named = [node.name for node in graph.nodes if repr(node.name) in str(error)]
                origin = self.state.origin[named[0]] if named else "network"
                self._blame(origin, rule or str(error), remedy if rule else "see docs/numeric-contract.md")

    def _sound(self) -> bool:
        return all(verdict.status == SUPPORTED for verdict in self.verdicts.values())

    def _inputs(self) -> None:
        """One image; anything else is judged as far as it goes."""
        names = list(self.model.inputs)
        for name in names:
            self.state.values[name] = Raw(self.model.inputs[name])
        if len(names) != 1:
            rule = f"{len(names)} inputs ({', '.join(names)[:80]})"
            self._refuse(Verdict("network", "graph", UNSUPPORTED, "", rule, "give the network one input, the image"))
        for name in names:
            kind = self.model.kinds.get(name, "")
            if kind not in _INPUTS:
                self._refuse(Verdict(name, "input", UNSUPPORTED, "", f"input of type {kind}", f"use one of {', '.join(_INPUTS)}"))
                self.state.values[name] = Unknown(None)
                continue
            try:
                planar(self.model.inputs[name])
            except Unsupported as problem:
                shape = self.model.inputs[name] or "with a free axis"
                rule = f"input of shape {shape}"
                self._refuse(Verdict(name, "input", UNSUPPORTED, "", rule, f"export with a fixed shape: {problem.remedy}"))
                self.state.values[name] = Unknown(None)

    def _lower(self, operator: Operator) -> None:
        follows = any(isinstance(self.state.values.get(name), Unknown) for name in operator.inputs)
        try:
            lower = TABLE.get(operator.kind)
            if lower is None:
                raise Unsupported("the operator is not supported", REWRITES.get(operator.kind, ANY_OTHER))
            _check_form(operator)
            note = lower(self.state, operator)
            self.verdicts[operator.name] = Verdict(operator.name, operator.kind, SUPPORTED, note)
        except Unsupported as problem:
            unclear = follows and operator.kind in TABLE
            self.verdicts[operator.name] = Verdict(
                operator.name, operator.kind, UNCLEAR if unclear else SUPPORTED, "follows what is not supported" if unclear else ""
            )
            if not unclear:
                self._blame(problem.blamed or operator.name, problem.rule, problem.remedy)
            for name in operator.outputs:
                self.state.values[name] = Unknown(self.model.shapes.get(name))

    def _output(self, name: str) -> None:
        """An output must be codes, or become them without a further quantiser."""
        value = self.state.values.get(name)
        maker = next((op for op in self.model.operators if name in op.outputs), None)
        if isinstance(value, Unknown):
            return
        if maker is None or value is None:
            self._refuse(Verdict(name, "output", UNSUPPORTED, "", "is not computed", "remove it from the outputs"))
            return
        try:
            found = self.state.settled(value)
        except Unsupported as problem:
            self._blame(problem.blamed or maker.name, problem.rule, problem.remedy)
            return
        if isinstance(found, Codes):
            self.state.values[name] = found
        else:
            self._blame(maker.name, f"its output {name!r} leaves the network unquantised", "put a quantiser behind it")

    def _blame(self, name: str, rule: str, remedy: str) -> None:
        found = self.verdicts.get(name, Verdict(name, "graph", SUPPORTED))
        if found.status != UNSUPPORTED:
            self._refuse(replace(found, status=UNSUPPORTED, note="", rule=rule, remedy=remedy))

    def _refuse(self, verdict: Verdict) -> None:
        self.verdicts[verdict.name] = verdict


_INPUTS = ("float32", "float16", "float64", "int8", "uint8")
_QUANTISERS = ("Quant", "IntQuant", "QuantizeLinear", "DequantizeLinear")
#: least number of inputs and outputs an operator's lowering takes for granted
_LEAST = {"Conv": 2, "DeformConv": 3, "Gemm": 2, "MatMul": 2, "Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "QuantizeLinear": 2}
_LEAST |= {"DequantizeLinear": 2}


def _check_form(operator: Operator) -> None:
    least = _LEAST.get(operator.kind, 1)
    if len(operator.inputs) < least or not operator.outputs or not operator.outputs[0]:
        raise Unsupported(f"has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs", "export the model again")


def _needed(model: Model) -> set[str]:
    """Names of the operators that an output depends on."""
    maker = {name: operator for operator in model.operators for name in operator.outputs if name}
    names, found, seen = list(model.outputs), set(), set()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in maker:
            found.add(maker[name].name)
            names.extend(maker[name].inputs)
    return found
