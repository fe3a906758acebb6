# SPDX-License-Identifier: Apache-2.0
"""The C++ training kernels give what the PyTorch forms give, and nothing breaks without a compiler."""

import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from codesign.nn import deform, quant  # noqa: E402
from codesign.nn.native import library  # noqa: E402

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ not found")


def taps(operator: str, dtype: torch.dtype, shape: tuple[int, ...]) -> list[torch.Tensor]:
    """Result and all gradients of one deformable layer on seeded data, out-of-image taps included."""
    torch.manual_seed(1)
    b, c, h, w = shape
    x = torch.randn(shape).to(memory_format=torch.channels_last).to(dtype).requires_grad_()
    offset = torch.randint(0, 8, (b, 1, h, w)) if operator == "square" else torch.randint(-7, 8, (b, 18, h, w))
    offset, weight = offset.float().requires_grad_(), torch.randn(c, 1, 3, 3, requires_grad=True)
    out = deform.deform_depthwise(x, offset, weight, operator, True)
    out.backward(torch.randn(out.shape).to(dtype))
    return [out.detach().float(), x.grad.float(), offset.grad, weight.grad]


@needs_compiler
@pytest.mark.parametrize("operator", ["square", "pairs"])
@pytest.mark.parametrize("shape", [(2, 5, 9, 4), (3, 33, 8, 8), (1, 1, 1, 1)])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 2e-5), (torch.bfloat16, 2e-2)])
def test_taps_equal_the_pytorch_form(
    monkeypatch: pytest.MonkeyPatch, operator: str, shape: tuple[int, ...], dtype: torch.dtype, close: float
) -> None:
    assert library.load() is not None
    mine = taps(operator, dtype, shape)
    monkeypatch.setattr(deform.native, "usable", lambda x: False)
    for a, b in zip(mine, taps(operator, dtype, shape), strict=True):
        assert (a - b).abs().max() <= close * max(1.0, float(b.abs().max()))


@needs_compiler
@pytest.mark.parametrize(("lo", "hi"), [(0.0, 255.0), (-128.0, 127.0)])
def test_fake_quantisation_has_pytorchs_bits(monkeypatch: pytest.MonkeyPatch, lo: float, hi: float) -> None:
    torch.manual_seed(2)
    data, grad = torch.randn(3, 7, 33, 9) * 3, torch.randn(3, 7, 33, 9)
    data[0, 0, 0] = torch.arange(9) * 0.5 * 0.02  # exact ties
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        for use in (True, False):
            with monkeypatch.context() as patch:
                if not use:
                    patch.setattr(quant.native, "usable", lambda x: False)
                x = data.clone().to(memory_format=layout).requires_grad_()
                scale = torch.tensor([0.02], requires_grad=True)
                y = quant._FakeQuant.apply(x, scale, lo, hi)
                y.backward(grad)
                results.append((y.detach(), x.grad, scale.grad))
    for y, gx, gs in results[1:]:
        assert torch.equal(y, results[0][0]) and torch.equal(gx, results[0][1])
        assert float(gs) == pytest.approx(float(results[0][2]), rel=1e-4)


@needs_compiler
def test_the_number_of_threads_changes_no_bit() -> None:
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(taps("square", torch.float32, (4, 16, 8, 8)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_without_a_compiler_pytorch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.shutil, "which", lambda name: None)
    library.load.cache_clear()
    try:
        assert library.load() is None
        assert taps("square", torch.float32, (1, 4, 8, 8))[0].shape == (1, 4, 8, 8)
    finally:
        library.load.cache_clear()
