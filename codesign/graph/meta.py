# SPDX-License-Identifier: Apache-2.0
"""What a graph file says beside its arithmetic, checked: class names, the picture's seed, a detector's outputs."""

from __future__ import annotations

from codesign.errors import UserError
from codesign.graph.ir import Graph
from codesign.numeric import CODE_MAX, CODE_MIN

HEADS = ("hm", "wh", "reg")
DETECTOR = ("labels", "fit")  #: meta keys that commands on a detector read
INPUT_RANGE = "input_range"  #: meta key: [least, greatest] code of the input
CLASSIFIER = "logits"  #: role of a classifier's only output
_MAX_LABEL = 100  # characters
_MAX_SEED = 2**63 - 1


def check_meta(graph: Graph) -> None:
    """Raises UserError, one line, where ``meta`` or the roles of the outputs are not what a command can use."""
    seed = graph.meta.get("image_seed", 0)
    if type(seed) is not int or not 0 <= seed <= _MAX_SEED:
        raise UserError(f"meta.image_seed is {_shown(seed)}; it must be a whole number, 0 to {_MAX_SEED}; lower the model again")
    input_range(graph)
    _check_labels(graph.meta.get("labels", []))
    if CLASSIFIER in graph.outputs and not any(role in graph.outputs for role in HEADS):
        _check_classifier(graph)
    elif "labels" in graph.meta or any(role in graph.outputs for role in HEADS):
        _check_heads(graph)


def input_range(graph: Graph) -> tuple[int, int]:
    """(least, greatest) code that the input takes; all of int8 where nothing is said. Raises UserError."""
    found = graph.meta.get(INPUT_RANGE, [CODE_MIN, CODE_MAX])
    whole = isinstance(found, list) and len(found) == 2 and all(type(end) is int for end in found)
    if not whole or not CODE_MIN <= found[0] < found[1] <= CODE_MAX:
        raise UserError(f"meta.{INPUT_RANGE} is {_shown(found)}; it must be two rising codes, {CODE_MIN} to {CODE_MAX}; lower the model again")
    return found[0], found[1]


def _check_labels(labels: object) -> None:
    if not isinstance(labels, list):
        raise UserError(f"meta.labels is {_shown(labels)}; it must be a list of class names; lower the model again")
    for label in labels:
        if not isinstance(label, str) or not 0 < len(label) <= _MAX_LABEL or not label.isprintable():
            rule = f"printable text of 1 to {_MAX_LABEL} characters"
            raise UserError(f"meta.labels holds {_shown(label)}; a class name must be {rule}; lower the model again")


def _check_classifier(graph: Graph) -> None:
    tensor, labels = graph.tensors.get(graph.outputs[CLASSIFIER]), graph.meta.get("labels", [])
    if tensor is not None and labels and len(labels) != tensor.shape[0]:
        raise UserError(
            f"meta.labels has {len(labels)} names; {CLASSIFIER} has {tensor.shape[0]} channels; lower the model again"
        )


def _check_heads(graph: Graph) -> None:
    missing = next((role for role in HEADS if role not in graph.outputs), None)
    if missing is not None:
        raise UserError(f"outputs lack {missing!r}; a detector has {', '.join(HEADS)}; lower the model again")
    shapes = {role: graph.tensors[graph.outputs[role]].shape for role in HEADS if graph.outputs[role] in graph.tensors}
    if len(shapes) < len(HEADS):
        return  # `check` names the tensor that is missing
    classes, height, width = shapes["hm"]
    for role in ("wh", "reg"):
        if shapes[role] != (2, height, width):
            raise UserError(f"output {role!r} is {shapes[role]}; beside hm {shapes['hm']} it must be (2, {height}, {width})")
    labels = graph.meta.get("labels", [])
    if labels and len(labels) != classes:
        raise UserError(f"meta.labels has {len(labels)} names; hm has {classes} channels; lower the model again")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
