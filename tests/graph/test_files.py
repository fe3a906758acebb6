# SPDX-License-Identifier: Apache-2.0
"""Files hold a graph exactly; anything else is refused in one line."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from codesign.errors import UserError
from codesign.graph.files import FORMAT, load_graph, pack_nibbles, save_graph, unpack_nibbles
from codesign.graph.ir import Graph, Requant
from codesign.lower.random_layers import random_layer_graph
from codesign.lower.random_net import random_graph
from codesign.lower.random_zoo import random_network


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Requant):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


def assert_same(one: Graph, two: Graph) -> None:
    assert (one.input, one.tensors, one.outputs, one.meta) == (two.input, two.tensors, two.outputs, two.meta)
    assert len(one.nodes) == len(two.nodes)
    for a, b in zip(one.nodes, two.nodes, strict=True):
        assert type(a) is type(b)
        assert all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)), a.name


@pytest.mark.parametrize("seed", range(20))
def test_round_trip_of_random_layers(tmp_path, seed):
    graph = random_layer_graph(seed)
    save_graph(graph, tmp_path / "g.safetensors")
    assert_same(load_graph(tmp_path / "g.safetensors"), graph)


def test_weights_in_another_memory_order_are_saved_as_they_read(tmp_path):
    graph = random_graph({"stages": (8, 16, 24), "units": (1, 1, 1), "last": 16}, 2, 32, 32)
    stem = graph.nodes[0]
    turned = replace(stem, weight=np.asfortranarray(stem.weight))
    save_graph(replace(graph, nodes=(turned, *graph.nodes[1:])), tmp_path / "g.safetensors")
    assert_same(load_graph(tmp_path / "g.safetensors"), graph)


def test_file_of_b_is_below_one_megabyte(tmp_path):
    graph = random_graph("b")
    save_graph(graph, tmp_path / "b.safetensors")
    assert_same(load_graph(tmp_path / "b.safetensors"), graph)
    assert (tmp_path / "b.safetensors").stat().st_size < 1_000_000


@pytest.mark.parametrize("shape", [(1,), (7, 3), (4, 5, 3, 3)])
def test_nibbles_round_trip(shape):
    weight = np.random.default_rng(0).integers(-8, 8, shape, dtype=np.int8)
    packed = pack_nibbles(weight)
    assert packed.size == (weight.size + 1) // 2
    assert np.array_equal(unpack_nibbles(packed, shape), weight)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "g.safetensors"
    save_graph(random_layer_graph(11, side=8, channels=12), path)
    return path.read_bytes()


def refused(path) -> str:
    with pytest.raises(UserError) as caught:
        load_graph(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 600
    return message


def test_missing_and_empty_files(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    refused(tmp_path / "empty.safetensors")


def test_truncated_anywhere(tmp_path, sound):
    path = tmp_path / "cut.safetensors"
    for length in [*range(64), *np.linspace(64, len(sound) - 1, 40, dtype=int)]:
        path.write_bytes(sound[:length])
        refused(path)


def test_flipped_header_bytes_never_escape_as_other_errors(tmp_path, sound):
    rng = np.random.default_rng(5)
    path = tmp_path / "flip.safetensors"
    header = 8 + int.from_bytes(sound[:8], "little")
    for position in rng.integers(0, header, 400):
        bad = bytearray(sound)
        bad[position] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(bad))
        try:
            load_graph(path)
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("nodes"),
        lambda d: d["nodes"][0].update(op="System"),
        lambda d: d["nodes"][0].update(extra=1),
        lambda d: d["nodes"][0].update(name=5),
        lambda d: d["nodes"][0].update(inputs=None),
        lambda d: d["input"].__setitem__(1, [1 << 40, 1, 1]),
        lambda d: d["input"].__setitem__(2, "x"),
        lambda d: d.update(outputs=[]),
        lambda d: d.update(tensors=[[]]),
        lambda d: d.update(meta=5),
    ],
)
def test_hostile_structure(tmp_path, sound, damage):
    from safetensors.numpy import load

    size = int.from_bytes(sound[:8], "little")
    document = json.loads(json.loads(sound[8 : 8 + size])["__metadata__"]["graph"])
    damage(document)
    path = tmp_path / "hostile.safetensors"
    save_file(load(sound), path, metadata={"format": FORMAT, "graph": json.dumps(document)})
    refused(path)


def test_other_safetensors_file_is_named_as_such(tmp_path):
    save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    assert FORMAT in refused(tmp_path / "other.safetensors")


def test_unwritable_place_is_one_line(tmp_path):
    graph = random_layer_graph(1)
    with pytest.raises(UserError, match="cannot write"):
        save_graph(graph, tmp_path / "no" / "such" / "folder" / "g.safetensors")


def test_broken_contract_in_a_file_is_refused(tmp_path):
    graph = random_layer_graph(1)
    broken = replace(graph, outputs={"out": "elsewhere"})
    save_graph(broken, tmp_path / "g.safetensors")
    assert "elsewhere" in refused(tmp_path / "g.safetensors")


def _renamed(graph: Graph, **roles: str) -> Graph:
    kept = {roles.get(role, role): name for role, name in graph.outputs.items()}
    return replace(graph, outputs={role: name for role, name in kept.items() if role})


@pytest.fixture(scope="module")
def detector() -> Graph:
    return random_graph({"stages": (8, 16, 24), "units": (1, 1, 1), "last": 16}, 2, 32, 32)


@pytest.mark.parametrize(
    ("meta", "roles", "words"),
    [
        ({"labels": "cat"}, {}, "meta.labels is 'cat'"),
        ({"labels": ["cat", 3]}, {}, "meta.labels holds 3"),
        ({"labels": ["cat", "\x1b[31m"]}, {}, "meta.labels holds"),
        ({"labels": ["cat", "a" * 101]}, {}, "1 to 100 characters"),
        ({"labels": ["cat"]}, {}, "1 names; hm has 2"),
        ({"image_seed": "1"}, {}, "meta.image_seed is '1'"),
        ({"image_seed": -1}, {}, "meta.image_seed is -1"),
        ({"image_seed": True}, {}, "meta.image_seed is True"),
        ({}, {"wh": ""}, "outputs lack 'wh'"),
        ({}, {"hm": "wh", "wh": "hm"}, "output 'wh'"),
    ],
)
def test_meta_that_no_command_can_use_is_refused(tmp_path, detector, meta, roles, words):
    graph = random_graph({"stages": (8, 16, 24), "units": (1, 1, 1), "last": 16}, 3, 32, 32) if "hm" in roles else detector
    broken = _renamed(replace(graph, meta={**graph.meta, **meta}), **roles)
    save_graph(broken, tmp_path / "g.safetensors")
    assert words in refused(tmp_path / "g.safetensors")


def test_a_classifier_names_its_classes(tmp_path):
    graph = random_network("simplenet")
    save_graph(graph, tmp_path / "g.safetensors")
    assert load_graph(tmp_path / "g.safetensors").meta["labels"] == graph.meta["labels"]
    save_graph(replace(graph, meta={**graph.meta, "labels": ["cat"]}), tmp_path / "wrong.safetensors")
    assert "1 names; logits has 10" in refused(tmp_path / "wrong.safetensors")


def test_others_can_read_a_graph_file_as_far_as_the_umask_lets_them(tmp_path):
    save_graph(random_layer_graph(1), tmp_path / "g.safetensors")
    (tmp_path / "plain").touch()
    assert (tmp_path / "g.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
