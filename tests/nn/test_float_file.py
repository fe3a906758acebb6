# SPDX-License-Identifier: Apache-2.0
"""Float model files: exact round trip with live BN, and damaged or foreign ones refused in one line."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")


from codesign.errors import UserError  # noqa: E402
from codesign.nn.codenet import fuse, is_fused, set_mode  # noqa: E402
from codesign.nn.float_file import load_float, read_float_info, save_float  # noqa: E402
from codesign.nn.model_file import load_model, save_model  # noqa: E402
from tests.nn.forge import forged  # noqa: E402
from tests.nn.small import as_input, frame, quantised, small_config  # noqa: E402

LABELS = ["one", "two", "three"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float") / "float.safetensors"
    save_float(path, quantised(small_config()), LABELS, {"ap50_float": 0.5}, {"seed": 3})
    return path


def test_round_trip_is_exact(saved: Path) -> None:
    net = quantised(small_config())
    set_mode(net, False)
    back, info = load_float(saved)
    assert (info.config, info.labels, info.metrics, info.recipe) == (net.config, tuple(LABELS), {"ap50_float": 0.5}, {"seed": 3})
    assert read_float_info(saved) == info and len(info.sha256) == 64
    assert not is_fused(back) and not back.training
    state = net.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in back.state_dict().items())
    image = as_input(frame(net.config))
    with torch.no_grad():
        want, got = net(image), back(image)
    assert all(torch.allclose(want[name], got[name], atol=1e-5) for name in want)


@pytest.mark.parametrize("change,words", [
    (lambda t, m: t.pop("stem.conv.weight"), "missing or unexpected"),
    (lambda t, m: t.update({"more": np.zeros(1, np.float32)}), "missing or unexpected"),
    (lambda t, m: t.update({"stem.conv.weight": t["stem.conv.weight"][:-1]}), "stem.conv.weight is"),
    (lambda t, m: t.update({"stem.conv.weight": t["stem.conv.weight"].astype(np.float64)}), "float64"),
    (lambda t, m: t["last.bn.bias"].fill(np.inf), "not finite"),
    (lambda t, m: t["last.bn.running_var"].fill(-1), "not positive"),
    (lambda t, m: m["config"].update(width=0.2), r"is float32\["),
])  # fmt: skip
def test_hostile_files_are_refused(saved: Path, tmp_path: Path, change: object, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        load_float(forged(saved, tmp_path / "forged.safetensors", change))
    assert "\n" not in str(caught.value)


def test_the_two_kinds_of_model_file_are_told_apart(saved: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", quantised(small_config()), labels=LABELS)
    with pytest.raises(UserError, match="codesign-float-1 expected, found 'codesign-model-1'.*give the float.safetensors"):
        load_float(tmp_path / "m.safetensors")
    with pytest.raises(UserError, match="codesign-model-1 expected, found 'codesign-float-1'.*give the model.safetensors"):
        load_model(saved)


def test_truncated_changed_and_fused_are_refused(saved: Path, tmp_path: Path) -> None:
    data = bytearray(saved.read_bytes())
    (tmp_path / "short.safetensors").write_bytes(data[:5000])
    with pytest.raises(UserError, match="not a readable"):
        load_float(tmp_path / "short.safetensors")
    data[-100] ^= 4
    (tmp_path / "flipped.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        load_float(tmp_path / "flipped.safetensors")
    with pytest.raises(UserError, match="folded BN"):
        save_float(tmp_path / "x.safetensors", fuse(quantised(small_config())), LABELS)
    with pytest.raises(UserError, match="2 labels for a model of 3"):
        save_float(tmp_path / "x.safetensors", quantised(small_config()), LABELS[:2])
