"""The recipes for some keys of a catalogue: `[[catalogue.NAME.recipe]]`."""

from collections.abc import Sequence
from dataclasses import replace

from bg_pipeline.core.recipe import Recipe
from bg_pipeline.core.recipes import SpecialRecipe
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.rendition_settings import RenditionSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, RecipeSettings
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.accounts import Account, ConfiguredAccounts


def special_recipes(
    raw: RawSettings,
    name: str,
    catalogue: CatalogueSettings,
    default: Recipe,
    accounts: Sequence[Account],
    configured: ConfiguredAccounts,
) -> tuple[SpecialRecipe, ...]:
    """
    Return the special recipes of a catalogue; each is the default one with what its table changes.

    Args:
        raw: the settings as written.
        name: name of the catalogue.
        catalogue: its settings.
        default: its default recipe.
        accounts: its accounts, whose cuts those of the default are.
        configured: what made them.

    Raises:
        ConfigurationError: a table is wrong.
    """
    kind = f"catalogue.{name}.recipe"
    tables = {str(number): table for number, table in enumerate(catalogue.recipe, 1)}
    numbered = replace(raw, tables={**raw.tables, kind: tables})
    made: list[SpecialRecipe] = []
    for number in tables:
        part = numbered.part(RecipeSettings, kind, number)
        cuts = default.cuts
        if part.params is not None:
            first = configured.cut_with(accounts[0], part.params, f"[{kind}.{number}] params")
            cuts = (first, *cuts[1:])
        rendition = default.rendition
        if part.rendition:
            if part.rendition not in raw.names("rendition"):
                raise ConfigurationError(f"[{kind}.{number}] rendition: there is no [rendition.{part.rendition}]")
            rendition = raw.part(RenditionSettings, "rendition", part.rendition).rendition()
        made.append(SpecialRecipe(part.match, replace(default, cuts=cuts, rendition=rendition)))
    return tuple(made)
