# SPDX-License-Identifier: Apache-2.0
"""ONNX's own node tests against the floating-point reference: every case of every imported operator, or a reason."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from codesign.onnx.normalise import operators
from codesign.onnx.operators import TABLE
from codesign.onnx.reference import evaluate

#: start or part of a case's name -> why it is left out
EXCLUDED = {
    "_training_mode": "training mode computes statistics; only inference is imported",
    "test_training_dropout": "training mode draws random numbers; only inference is imported",
    "test_dropout_default_mask": "returns a mask, which is not imported",
    "test_maxpool_with_argmax": "returns indices, which are not imported",
    "_linear": "Resize is imported as nearest neighbour only",
    "_cubic": "Resize is imported as nearest neighbour only",
    "test_resize_tf_crop": "regions of interest are not imported",
    "test_identity_sequence": "sequences and optionals are not tensors",
    "test_identity_opt": "sequences and optionals are not tensors",
    "_e4m3fn": "8-bit floats are not integer codes",
    "_e5m2": "8-bit floats are not integer codes",
    "_float4e2m1": "4-bit floats are not integer codes",
}


def reason(name: str) -> str:
    """Why a case is left out; empty if it is run."""
    return next((why for part, why in EXCLUDED.items() if part in name), "")


def _all_cases() -> dict[str, list]:
    """By operator, the cases whose model is that operator alone, in ONNX's own domain."""
    found: dict[str, list] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX makes cases that overflow on purpose
        cases = load_model_tests(kind="node")
    for case in cases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].domain == "" and nodes[0].op_type in TABLE:
            found.setdefault(nodes[0].op_type, []).append(case)
    return found


CASES = _all_cases()
RUN = [case for cases in CASES.values() for case in cases if not reason(case.name)]


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.name)
def test_reference_gives_what_onnx_says(case):
    (operator,) = operators(case.model.graph)
    for given, wanted in case.data_sets:
        given, wanted = ([_array(value) for value in values] for values in (given, wanted))
        arrays = iter(given)
        inputs = [next(arrays) if name else None for name in operator.inputs]
        found = evaluate(operator.kind, inputs, operator.attributes)
        assert len(found) >= len(wanted)
        for ours, theirs in zip(found, wanted):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
            if ours.dtype.kind == "U":
                assert ours.tolist() == theirs.tolist()
            else:
                wide = (array.astype(np.float64) for array in (ours, theirs))
                np.testing.assert_allclose(*wide, rtol=case.rtol, atol=case.atol)


def _array(value: object) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def test_every_operator_that_is_imported_has_cases():
    """The count that docs/onnx.md states; QONNX's quantisers have no ONNX cases."""
    without = set(TABLE) - set(CASES) - {"Quant", "IntQuant"}
    assert without == set()
    total = sum(len(cases) for cases in CASES.values())
    assert (len(RUN), total) == (219, 265)


def test_deformable_convolution_runs_all_four_cases():
    assert len([case for case in RUN if case.model.graph.node[0].op_type == "DeformConv"]) == 4


def test_every_exclusion_is_still_needed():
    names = [case.name for cases in CASES.values() for case in cases]
    assert {reason(name) for name in names} - {""} == set(EXCLUDED.values())
