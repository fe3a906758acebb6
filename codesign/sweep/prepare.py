# SPDX-License-Identifier: Apache-2.0
"""From a choice of the file to a network ready to be planned: trained where it has to be, lowered, and scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesign.build.options import BuildOptions
from codesign.build.steps.lower import lowered
from codesign.errors import UserError
from codesign.graph.count import mac_count
from codesign.graph.files import load_graph, save_graph
from codesign.sweep.digest import digest
from codesign.sweep.networks import Choice, Network, build_arguments, model_path
from codesign.sweep.spec import SweepSpec, Training
from codesign.sweep.task import Task
from codesign.sweep.work import ACC_BITS

Perform = Callable[[Sequence[Task]], list[dict[str, Any]]]
DIGITS = Path("data") / "digits"


class Preparation:
    """Networks of one sweep, in its folder."""

    def __init__(self, spec: SweepSpec, folder: Path, perform: Perform):
        self._spec, self._folder, self._perform = spec, folder, perform
        self._data: dict[int, tuple[Path, str]] = {}

    def networks(self, choices: Sequence[Choice]) -> list[Network]:
        """Of these choices, trained side by side."""
        models = self._trained(choices) if self._spec.training is not None else [self._given(choice) for choice in choices]
        made = [self._lowered(choice, model) for choice, model in zip(choices, models, strict=True)]
        scores = self._scores([network for network, scored in made if scored])
        known = [scores.get(network.sha256, _recorded(model)) for (network, _), model in zip(made, models, strict=True)]
        return [replace(network, ap50=ap50) for (network, _), ap50 in zip(made, known, strict=True)]

    def _given(self, choice: Choice) -> Path | None:
        return model_path(choice.model) if choice.model else None

    def _trained(self, choices: Sequence[Choice]) -> list[Path | None]:
        training = self._spec.training
        assert training is not None
        data, pictures = self.data(training.data, self._side())
        tasks = [self._training(choice, training, data, pictures) for choice in choices]
        answers = self._perform(tasks)
        refused = next((found["refused"] for found in answers if "refused" in found), None)
        if refused:
            raise UserError(f"training: {refused}")
        models = [Path(task.files["out"]) / "model.safetensors" for task in tasks]
        for model, found in zip(models, answers, strict=True):
            if digest(model) != found["sha256"]:
                raise UserError(f"{model}: is not what was trained; put it back, or choose another folder with --out")
        return list(models)

    def _training(self, choice: Choice, training: Training, data: Path, pictures: str) -> Task:
        from codesign.nn.config import named_config
        from codesign.nn.layer_bits import parse

        values = choice.values
        changes: dict[str, Any] = {"operator": values["operator"], "weight_bits": values["weight_bits"], "layer_bits": parse(values["layer_bits"])}
        if values["width"] is not None:
            changes["width"] = values["width"]
        if values["bound"] is not None and values["operator"] != "plain":
            changes["bound"] = values["bound"]
        if values["resolution"] is not None:
            changes["input_size"] = (values["resolution"], values["resolution"])
        config = named_config(values["config"], **changes)
        subject = {"config": _plain(config.to_json()), "recipe": training.recipe, "data": pictures}
        return Task("train", subject, {"data": str(data), "out": str(self._folder / "networks" / choice.name)}, self._spec.seed)

    def _side(self) -> int:
        """The shorter side of the smallest input that is trained: all networks see the same scenes."""
        from codesign.nn.config import named_config

        given = self._spec.network.get("resolution", (None,))
        default = min(min(named_config(config).input_size) for config in self._spec.network.get("config", ("b",)))
        return min(default if side is None else side for side in given)

    def data(self, named: str, side: int) -> tuple[Path, str]:
        """The data folder, digit scenes for inputs of this side written where they are meant, and its hash."""
        if side not in self._data:
            from codesign.cli.train import digit_scenes
            from codesign.sweep.accuracy import data_hash

            folder = digit_scenes(DIGITS, side) if named == "digits" else Path(named)
            self._data[side] = folder, data_hash(folder)
        return self._data[side]

    def _lowered(self, choice: Choice, model: Path | None) -> tuple[Network, bool]:
        """The network, and whether its AP50 can be measured."""
        values = choice.values
        options = BuildOptions("", values.get("config", "b"), model, height=None if model else values["resolution"],
                               width=None if model else values["resolution"], weight_bits=None if model else values["weight_bits"])  # fmt: skip
        path = self._folder / "graphs" / f"{choice.name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        if options.onnx_model is None and model is None:
            from codesign.lower.random_net import random_graph

            side = values["resolution"]
            graph = random_graph(values["config"], height=side, width=side, weight_bits=values["weight_bits"])
        else:
            graph = lowered(options)
        save_graph(graph, path)
        scored = "labels" in load_graph(path, ACC_BITS).meta and model is not None
        return Network(choice.name, path, digest(path), mac_count(graph), None, build_arguments(choice, model)), scored

    def _scores(self, networks: Sequence[Network]) -> dict[str, float]:
        """AP50 by graph."""
        if not networks or "ap50" not in self._spec.objectives:
            return {}
        training = self._spec.training or Training()
        tasks = []
        for network in networks:
            side = self._side() if self._spec.training is not None else min(load_graph(network.graph, ACC_BITS).input.shape[1:])
            data, pictures = self.data(training.data, side)
            tasks.append(Task("score", {"graph": network.sha256, "data": pictures}, {"graph": str(network.graph), "data": str(data)}))
        return {n.sha256: found.get("ap50") for n, found in zip(networks, self._perform(tasks), strict=True)}


def _recorded(model: Path | None) -> float | None:
    """What training measured of the quantised network, where the sweep does not measure."""
    from codesign.nn.model_file import read_info

    try:
        return None if model is None else read_info(model).metrics.get("ap50_quantised")
    except UserError:  # an integer graph, or ONNX
        return None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, as JSON has them."""
    return {key: [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, tuple) else value for key, value in values.items()}
