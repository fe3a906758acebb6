# SPDX-License-Identifier: Apache-2.0
"""Recipes by name, from files, with settings; wrong ones are refused in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.errors import UserError
from codesign.train.recipe import Recipe
from codesign.train.recipe_file import known_recipes, load_recipe


@pytest.mark.parametrize("name", known_recipes())
def test_every_shipped_recipe_loads_and_survives_json(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.from_json(recipe.to_json()) == recipe and recipe.epochs > 0


def test_settings_follow_a_colon(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("lr = 1e-3\n[augment]\nscale = [0.5, 2]\n")
    recipe = load_recipe(f"{tmp_path}/mine.toml:seed=7,augment.paste=2,schedule=step,distil=1")
    assert (recipe.lr, recipe.seed, recipe.schedule, recipe.distil) == (1e-3, 7, "step", 1.0)
    assert recipe.augment.scale == (0.5, 2.0) and recipe.augment.paste == 2
    assert load_recipe("digits:float_epochs=3") == replace(load_recipe("digits"), float_epochs=3)


def test_the_automatic_recipe_follows_the_number_of_pictures() -> None:
    few, some, many = (load_recipe("auto:seed=3", images) for images in (50, 292, 20_000))
    assert few.float_epochs == 150 and some.float_epochs == 110 and many.float_epochs == 12
    assert some.qat_epochs == 16 and some.seed == 3 and some.augment.hflip and not some.augment.vflip
    eight = load_recipe("auto", 292, 8)
    assert eight.equalise and eight.annotations == 0 < some.annotations and eight.float_epochs == some.float_epochs


def test_the_recipe_for_eight_bits_is_the_one_for_four_but_for_its_quantised_stage() -> None:
    assert load_recipe("bccd-w8a8") == replace(load_recipe("bccd"), qat_lr=1e-4, annotations=0.0, equalise=True)


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [("lr = 'fast'", "", "lr is 'fast'"), ("speed = 1", "", "unknown key 'speed'"), ("augment = 3", "", "augment"),
     ("[augment]\nscale = 1", "", "2 numbers"), ("lr", "", "not a readable recipe"), ("", ":lr", "key=value"),
     ("", ":lr=-1", "positive"), ("calibration = 'max'", "", "mse, percentile"), ("", ":batch=1.5", "of type int"), ("", ":augment.flip=true", "augment.flip"),
     ("", ":augment.paste=1000000000", "augment.paste is 1000000000.* 0 to 100"), ("", ":augment.aspect=2", "augment.aspect is 2.0"),
     ("[augment]\nscale = [0, 1]", "", "augment.scale is .0.0, 1.0.")],
)  # fmt: skip
def test_wrong_recipes_are_one_line(tmp_path: Path, text: str, settings: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        load_recipe(f"{tmp_path / 'r.toml'}{settings}")
    assert "\n" not in str(caught.value)


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bccd, bccd-w8a8, digits, digits-small, voc"):
        load_recipe("coco")
    with pytest.raises(UserError, match="cannot be read"):
        load_recipe(str(tmp_path / "none.toml"))
