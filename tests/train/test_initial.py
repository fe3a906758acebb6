# SPDX-License-Identifier: Apache-2.0
"""Starting from a float model file, and from ShuffleNetV2 weights in torchvision's naming."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from torch import nn  # noqa: E402

from codesign.data.digits import write_scenes  # noqa: E402
from codesign.errors import UserError  # noqa: E402
from codesign.nn.codenet import CoDeNet  # noqa: E402
from codesign.nn.config import named_config  # noqa: E402
from codesign.nn.float_file import load_float, read_float_info  # noqa: E402
from codesign.train.initial import start_from  # noqa: E402
from codesign.train.loop import train  # noqa: E402
from codesign.train.recipe import Recipe  # noqa: E402
from tests.nn.small import small_config  # noqa: E402


class _Unit(nn.Module):
    """torchvision's InvertedResidual, by its names."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        half = cout // 2
        self.stride = stride
        if stride == 2:
            self.branch1 = nn.Sequential(
                nn.Conv2d(cin, cin, 3, 2, 1, groups=cin, bias=False), nn.BatchNorm2d(cin),
                nn.Conv2d(cin, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            )  # fmt: skip
        self.branch2 = nn.Sequential(
            nn.Conv2d(cin if stride == 2 else half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False), nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride == 2:
            parts = [self.branch1(x), self.branch2(x)]
        else:
            keep, work = x.chunk(2, 1)
            parts = [keep, self.branch2(work)]
        y = torch.cat(parts, 1)
        b, c, h, w = y.shape
        return y.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class _ShuffleNet(nn.Module):
    """torchvision's shufflenet_v2_x1_0 without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        cin = 24
        for number, (cout, units) in enumerate(((116, 4), (232, 8), (464, 4)), 2):
            setattr(self, f"stage{number}", nn.Sequential(*(_Unit(cin if n == 0 else cout, cout, 2 if n == 0 else 1) for n in range(units))))
            cin = cout
        self.conv5 = nn.Sequential(nn.Conv2d(464, 1024, 1, bias=False), nn.BatchNorm2d(1024), nn.ReLU())
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv5(self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x))))))


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[_ShuffleNet, Path]:
    torch.manual_seed(3)
    net = _ShuffleNet()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "shufflenetv2_x1.pth"
    torch.save(net.state_dict(), path)
    return net.eval(), path


def test_torchvision_weights_give_torchvisions_features(imagenet: tuple[_ShuffleNet, Path]) -> None:
    net, path = imagenet
    model = CoDeNet(named_config("b"))
    assert "backbone" in start_from(model, path)
    pixels = torch.randint(0, 256, (1, 3, 320, 320)).float()
    pixels[..., :3, :] = pixels[..., -3:, :] = 128  # at the edge the two paddings differ
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.no_grad():
        want = net((pixels / 255 - mean) / std)
        got = model.eval().features((pixels - 128) / 128)
    inner = (slice(None), slice(None), slice(4, 6), slice(4, 6))  # cells that do not see the edge much
    assert got.shape == want.shape == (1, 1024, 10, 10)
    assert (got[inner] - want[inner]).abs().mean() < 0.02 * want[inner].abs().mean()


def test_the_wrong_width_and_foreign_files_are_refused(imagenet: tuple[_ShuffleNet, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of this width"):
        start_from(CoDeNet(named_config("b", width=0.5)), imagenet[1])
    (tmp_path / "x.pth").write_bytes(b"not weights")
    (tmp_path / "x.safetensors").write_bytes(b"not weights")
    for name in ("x.pth", "x.safetensors", "none.pth"):
        with pytest.raises(UserError, match=name) as caught:
            start_from(CoDeNet(small_config()), tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_quantised_training_starts_from_a_float_run(tmp_path: Path) -> None:
    write_scenes(tmp_path / "data", train=4, test=2, size=64)
    config = small_config(input_size=(64, 64))
    recipe = Recipe(pretrain_epochs=0, float_epochs=1, qat_epochs=0, batch=2, qat_batch=2, calibration_batches=1)
    said: list[str] = []
    first = train(tmp_path / "data", recipe, tmp_path / "one", config=config, report=said.append)
    assert first is not None and first.model is None and first.float_model.is_file()
    assert not any("post_training" in line for line in said) and not load_float(first.float_model)[0].stem.quantised
    again = train(tmp_path / "data", replace(recipe, qat_epochs=1), tmp_path / "one", config=config, report=said.append)
    assert again is not None and again.model is not None, "a float run goes on with quantised epochs"
    assert read_float_info(first.float_model).metrics["ap50_float"] == first.ap50_float
    said = []
    second = train(tmp_path / "data", replace(recipe, float_epochs=0, qat_epochs=1), tmp_path / "two",
                   config=replace(config, weight_bits=8), start=first.float_model, report=said.append)  # fmt: skip
    assert second is not None and second.model is not None and any("starting from" in line for line in said)
    one, two = load_float(first.float_model)[0], load_float(second.float_model)[0]
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert read_float_info(second.float_model).metrics["ap50_float"] == first.ap50_float
    with pytest.raises(UserError, match="choose the same"):
        start_from(CoDeNet(replace(config, classes=10, stem="s4")), first.float_model)
