"""The code version of cutouts, by which Dagster calls partitions unsynced."""

from dataclasses import replace

from bg_pipeline.core.formats import Format
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.recipes import Recipes, SpecialRecipe
from bg_pipeline.orchestration.versions import of_recipes

DEFAULT = Recipe((Cut("local", 2500),), Rendition())
PADDED = replace(DEFAULT, rendition=Rendition(padding=0.2))


def version(*special: SpecialRecipe, default: Recipe = DEFAULT) -> str:
    return of_recipes(Recipes(default, special))


def test_another_recipe_for_all_or_for_some_pictures_is_another_version() -> None:
    versions = [
        version(),
        version(default=PADDED),
        version(SpecialRecipe(("rings",), PADDED)),
        version(SpecialRecipe(("cars",), PADDED)),
        version(SpecialRecipe(("rings",), replace(DEFAULT, rendition=Rendition(format=Format.JPG)))),
    ]

    assert len(set(versions)) == len(versions)


def test_the_same_recipes_are_the_same_version() -> None:
    assert version(SpecialRecipe(("rings",), PADDED)) == version(SpecialRecipe(("rings",), PADDED))
