"""Code and data versions, which make "unsynced" in Dagster's UI true."""

from bg_pipeline.core.recipe import Recipe, digest_of
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.names import Names
from bg_pipeline.orchestration.opener import Opener

KEPT = "kept"
"""Data version of manifest and delta, always the same: they are state. With a new one every night, Dagster would show
as unsynced the delta, whose manifest is counted again after the work, and every collection, also those without work."""


def of_recipes(recipes: Recipes) -> str:
    """Return the code version of cutouts: other recipes make other cutouts of the same pictures."""
    names = _names(recipes.default)
    for special in recipes.special:
        names += [*special.patterns, *_names(special.recipe)]
    return digest_of("".join(names).encode())[:12]


def _names(recipe: Recipe) -> list[str]:
    # The oldest names: neither a new naming scheme nor a newer renderer makes published cutouts outdated.
    return [cut.digests[-1] for cut in recipe.cuts] + [each.digests[-1] for each in recipe.renditions.values()]


def of_settings(opener: Opener) -> str | None:
    """Return the code version for the settings at load time; None where they are incomplete."""
    try:
        return of_recipes(opener.settings().recipes)
    except ConfigurationError:
        return None


def tags(names: Names, version: str, run_id: str) -> dict[str, str]:
    """
    Return the tags that Dagster adds to a materialization of `cutouts`, but not when another asset logs it.

    Each is stored twice, hundreds of times a night, so the data version is short.
    """
    delta = names.key("image_delta").to_user_string()
    return {
        "dagster/code_version": version,
        "dagster/data_version": run_id[:8],
        f"dagster/input_data_version/{delta}": KEPT,
        f"dagster/input_event_pointer/{delta}": "NULL",
    }
