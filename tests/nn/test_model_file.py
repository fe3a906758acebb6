# SPDX-License-Identifier: Apache-2.0
"""Model files: exact round trip, small, readable without torch, and damaged ones refused in one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from safetensors.numpy import save  # noqa: E402

from codesign.errors import UserError  # noqa: E402
from codesign.nn.export import ConvNode, DeformNode, export_layers, trace_codes  # noqa: E402
from codesign.nn.model_file import _pack, _unpack, load_model, read_info, save_model  # noqa: E402
from tests.nn.forge import forged  # noqa: E402
from tests.nn.small import frame, quantised, small_config  # noqa: E402

LABELS = ["one", "two", "three"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, quantised(small_config()), labels=LABELS, metrics={"ap50": 0.5, "lost": float("nan")})
    return path


@pytest.mark.parametrize("bits", [4, 8])
def test_round_trip_is_exact(tmp_path: Path, bits: int) -> None:
    config = small_config(weight_bits=bits)
    net = quantised(config)
    save_model(tmp_path / "m.safetensors", net, labels=LABELS)
    back, info = load_model(tmp_path / "m.safetensors")
    assert info.config == config and info.labels == tuple(LABELS)
    for mine, theirs in zip(export_layers(net), export_layers(back), strict=True):
        if isinstance(mine, (ConvNode, DeformNode)):
            np.testing.assert_array_equal(mine.weight, theirs.weight)
            np.testing.assert_allclose(mine.weight_scale, theirs.weight_scale, rtol=1e-6)
            assert mine.out_quant == theirs.out_quant
    image = frame(config, 4)
    want, got = trace_codes(net, image), trace_codes(back, image)
    assert all((want[k] == got[k]).mean() > 0.995 for k in want)


def test_metadata_needs_no_torch(saved: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from codesign.nn.model_file import read_info;"
        f"print(read_info(Path({str(saved)!r})).labels, 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "('one', 'two', 'three') False"
    assert read_info(saved).metrics == {"ap50": 0.5}


def test_nibbles_round_trip() -> None:
    codes = np.random.default_rng(0).integers(-8, 8, 101).astype(np.int8)
    np.testing.assert_array_equal(_unpack(_pack(codes), 101), codes)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_truncated_files_are_refused(saved: Path, tmp_path: Path, share: float) -> None:
    data = saved.read_bytes()
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="bad.safetensors") as caught:
        load_model(bad)
    assert "\n" not in str(caught.value)


def test_one_flipped_bit_is_refused(saved: Path, tmp_path: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-100] ^= 4
    (tmp_path / "m.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        load_model(tmp_path / "m.safetensors")


def test_foreign_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model"):
        load_model(tmp_path / "none.safetensors")
    (tmp_path / "x.safetensors").write_bytes(save({"a": np.zeros(3)}))
    with pytest.raises(UserError, match="not a model file"):
        load_model(tmp_path / "x.safetensors")
    (tmp_path / "y.safetensors").write_bytes(save({"a": np.zeros(3)}, metadata={"codesign": "{" * 4000}))
    with pytest.raises(UserError, match="not a readable"):
        load_model(tmp_path / "y.safetensors")


@pytest.mark.parametrize("change,words", [
    (lambda t, m: t.pop("stem.bias"), "missing or unexpected"),
    (lambda t, m: t.update({"stem.bias": t["stem.bias"][:-1]}), "stem.bias is"),
    (lambda t, m: t["stem.scale"].fill(np.nan), "not finite"),
    (lambda t, m: t["ranges"].fill(-1), "not positive"),
    (lambda t, m: t["last.codes"].fill(0x11), "do not span"),
    (lambda t, m: m["config"].update(width=1e9), "width"),
    (lambda t, m: m["config"].update(input_size=[100, 100]), "multiples of 32"),
    (lambda t, m: m.update(labels=["a"]), "1 labels"),
    (lambda t, m: m.update(config=None), "JSON object"),
    (lambda t, m: m["config"].update(stem_bits=1), "stem_bits is 1; it must be one of"),
    (lambda t, m: m["config"].update(weight_bits=4.0), "weight_bits is 4.0"),
    (lambda t, m: m["config"].update(stem_channels=1.5), "stem_channels is 1.5"),
    (lambda t, m: m["config"].update(classes=True), "classes is True"),
    (lambda t, m: m["config"].update(bound="7"), "bound is '7'"),
    (lambda t, m: m["config"].update(input_size=[999968, 999968]), "32 to 2048"),
    (lambda t, m: m["config"].update(input_size=256), "input_size is 256"),
    (lambda t, m: m["config"].update(decoder=[1, "2", 3]), "decoder is"),
    (lambda t, m: m["config"].update(width="1"), "width is '1'"),
    (lambda t, m: m["config"].update(deform_first=1), "deform_first is 1"),
    (lambda t, m: m["config"].update(stem=["s4"]), "stem is"),
    (lambda t, m: m["labels"].__setitem__(0, "a\nb"), "printable text"),
    (lambda t, m: m["labels"].__setitem__(0, None), "printable text"),
    (lambda t, m: m["labels"].__setitem__(0, "a" * 101), "printable text"),
])  # fmt: skip
def test_hostile_files_are_refused(saved: Path, tmp_path: Path, change: object, words: str) -> None:
    path = forged(saved, tmp_path / "forged.safetensors", change)
    with pytest.raises(UserError, match=words):
        load_model(path)


def test_wrong_label_count_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="labels"):
        save_model(tmp_path / "m.safetensors", quantised(small_config()), labels=["a"])
