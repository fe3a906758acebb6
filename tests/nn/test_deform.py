# SPDX-License-Identifier: Apache-2.0
"""Deformable depthwise operators against ONNX's reference DeformConv and against plain convolutions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import torch.nn.functional as F  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from codesign.nn.deform import TAPS, deform_depthwise  # noqa: E402

C, H, W = 2, 5, 6


def onnx_deform(x: np.ndarray, weight: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """DeformConv (opset 19), depthwise, 3x3, padding 1."""
    node = helper.make_node(
        "DeformConv", ["x", "w", "o"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=C, offset_group=1
    )
    sides = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "w", "o")]
    graph = helper.make_graph([node], "g", sides, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    return ReferenceEvaluator(model).run(None, {"x": x, "w": weight, "o": offset})[0]


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(1, C, H, W)).astype(np.float32), rng.normal(size=(C, 1, 3, 3)).astype(np.float32), rng


def run(x: np.ndarray, weight: np.ndarray, offset: np.ndarray, operator: str, integer: bool) -> np.ndarray:
    x, weight, offset = (torch.from_numpy(np.asarray(v, np.float32)) for v in (x, weight, offset))
    return deform_depthwise(x, offset, weight, operator, integer).numpy()


def square_as_pairs(distance: np.ndarray) -> np.ndarray:
    """Nine (dy, dx) pairs that put the taps where distance [1, 1, H, W] puts them."""
    pairs = [(distance - 1) * k for tap in TAPS for k in tap]
    return np.concatenate(pairs, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_integer_pairs_equal_onnx(seed: int) -> None:
    x, weight, rng = draw(seed)
    offset = rng.integers(-7, 8, (1, 18, H, W)).astype(np.float32)  # mostly outside this small image
    np.testing.assert_allclose(run(x, weight, offset, "pairs", True), onnx_deform(x, weight, offset), atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_square_equals_onnx(seed: int) -> None:
    x, weight, rng = draw(seed)
    distance = rng.integers(0, 8, (1, 1, H, W)).astype(np.float32)
    want = onnx_deform(x, weight, square_as_pairs(distance))
    np.testing.assert_allclose(run(x, weight, distance, "square", True), want, atol=1e-5)


def test_bilinear_pairs_equal_onnx() -> None:
    x, weight, rng = draw(3)
    offset = rng.uniform(-3, 3, (1, 18, H, W)).astype(np.float32)
    np.testing.assert_allclose(run(x, weight, offset, "pairs", False), onnx_deform(x, weight, offset), atol=1e-4)


def test_bilinear_square_equals_onnx() -> None:
    x, weight, rng = draw(4)
    distance = rng.uniform(0, 7, (1, 1, H, W)).astype(np.float32)
    want = onnx_deform(x, weight, square_as_pairs(distance))
    np.testing.assert_allclose(run(x, weight, distance, "square", False), want, atol=1e-4)


@pytest.mark.parametrize("distance", range(4))
def test_constant_distance_is_a_dilated_convolution(distance: int) -> None:
    x, weight, _ = draw(5)
    got = run(x, weight, np.full((1, 1, H, W), distance), "square", True)
    tx, tw = torch.from_numpy(x), torch.from_numpy(weight)
    if distance == 0:  # the centre nine times
        want = tx * tw.sum((2, 3)).view(1, C, 1, 1)
    else:
        want = F.conv2d(tx, tw, padding=distance, dilation=distance, groups=C)
    np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


@pytest.mark.parametrize("operator,channels", [("square", 1), ("pairs", 18)])
def test_gradients_of_input_and_weight_equal_autograd(operator: str, channels: int) -> None:
    """The gathered form's hand-written backward against bilinear sampling (plain autograd) at the same integers."""
    x, weight, rng = draw(6)
    offset = torch.from_numpy(rng.integers(0, 3, (1, channels, H, W)).astype(np.float32))
    grads = []
    for integer in (True, False):
        tx, tw = (torch.from_numpy(v).requires_grad_() for v in (x, weight))
        out = deform_depthwise(tx, offset, tw, operator, integer)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        grads.append((tx.grad, tw.grad))
    for got, want in zip(*grads, strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_position_gradient_is_the_central_difference() -> None:
    """On a ramp along x, moving the taps of one pixel apart changes the output by the slope of its taps."""
    x = torch.arange(9.0).expand(1, 1, 9, 9).contiguous()
    weight = torch.arange(9.0).view(1, 1, 3, 3)
    distance = torch.full((1, 1, 9, 9), 2.0, requires_grad=True)
    out = deform_depthwise(x, distance, weight, "square", True)
    out[0, 0, 4, 4].backward()
    assert distance.grad[0, 0, 4, 4] == sum(float(weight.flatten()[t]) * TAPS[t][1] for t in range(9))
    assert distance.grad.count_nonzero() == 1


@pytest.mark.parametrize("operator,channels", [("square", 1), ("pairs", 18)])
def test_bilinear_gradients_are_those_of_finite_differences(operator: str, channels: int) -> None:
    rng = np.random.default_rng(8)
    x = torch.from_numpy(rng.normal(size=(1, 2, 4, 5))).requires_grad_()
    weight = torch.from_numpy(rng.normal(size=(2, 1, 3, 3))).requires_grad_()
    offset = torch.from_numpy(rng.integers(-2, 3, (1, channels, 4, 5)) + rng.uniform(0.2, 0.8, (1, channels, 4, 5)))
    offset = offset.float().requires_grad_()  # positions are float32 whatever the map is
    (deform_depthwise(x, offset, weight, operator, False) ** 2).sum().backward()

    def total(o: torch.Tensor, v: torch.Tensor = x, w: torch.Tensor = weight) -> float:
        return float((deform_depthwise(v, o, w, operator, False) ** 2).sum().detach())

    step = 2.0**-10
    for at in [(0, 0, 1, 2), (0, channels - 1, 3, 4), (0, channels // 2, 0, 0)]:
        moved = [offset.detach().clone() for _ in range(2)]
        moved[0][at] += step
        moved[1][at] -= step
        slope = (total(moved[0]) - total(moved[1])) / (2 * step)
        assert float(offset.grad[at]) == pytest.approx(slope, rel=1e-3, abs=1e-3)
    still = offset.detach()
    assert torch.autograd.gradcheck(lambda v, w: deform_depthwise(v, still, w, operator, False), (x, weight))


def test_bilinear_gradient_at_whole_pixels_is_the_step_to_the_next() -> None:
    """Offsets start at whole pixels; their gradient there must be a slope of the map, not a value of it."""
    x = (100 + 3 * torch.arange(9.0)).expand(1, 1, 9, 9).contiguous()
    distance = torch.full((1, 1, 9, 9), 2.0, requires_grad=True)
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 2] = 1.0
    deform_depthwise(x, distance, weight, "square", False)[0, 0, 4, 4].backward()
    assert float(distance.grad[0, 0, 4, 4]) == pytest.approx(3.0)
