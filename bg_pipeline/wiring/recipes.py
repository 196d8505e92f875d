"""The renditions of a catalogue, and its recipes for some keys: `[[catalogue.NAME.recipe]]`."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bg_pipeline.core.keys import fold
from bg_pipeline.core.naming import BESIDE, PLAIN
from bg_pipeline.core.recipe import Recipe, Rendition
from bg_pipeline.core.recipes import SpecialRecipe
from bg_pipeline.core.records import MAIN
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.rendition_settings import RenditionSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, RecipeSettings
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.accounts import Account, ConfiguredAccounts

RENDITION = "main"
"""Name of the rendition that environment variables describe."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def renditions_of(raw: RawSettings, names: Sequence[str], setting: str) -> dict[str, Rendition]:
    """
    Return renditions by name.

    Args:
        raw: the settings as written.
        names: the wanted ones, the main one first.
        setting: what names them, for messages.

    Raises:
        ConfigurationError: one is wrong, or two would give their outputs one name.
    """
    known = raw.names("rendition") or (RENDITION,)
    made: dict[str, Rendition] = {}
    owners: dict[str, str] = {}
    for name in names:
        if name not in known:
            raise ConfigurationError(f"{setting}: there is no [rendition.{name}]; there are: {', '.join(known)}")
        if name in made:
            raise ConfigurationError(f"{setting}: {name} is named twice")
        if made and (name == MAIN or not _NAME.fullmatch(name)):
            why = "can only be the first" if name == MAIN else "needs a name of at most 60 letters, digits, - and _"
            raise ConfigurationError(f"{setting}: of several renditions, {name!r} {why}")
        rendition = raw.part(RenditionSettings, "rendition", name).rendition(name, BESIDE if made else PLAIN)
        twin = owners.setdefault(fold(rendition.name_of("folder/name")), name)
        if twin != name:
            raise ConfigurationError(
                f"{setting}: [rendition.{twin}] and [rendition.{name}] give their outputs one name: set another"
                " output_name in one of them"
            )
        made[name] = rendition
    return made


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
        recipe = replace(default, cuts=cuts)
        if part.renditions:
            renditions = renditions_of(raw, part.renditions, f"[{kind}.{number}] renditions")
            main, *others = renditions
            further = {each: renditions[each] for each in others}
            recipe = replace(recipe, rendition=renditions[main], others=further)
        made.append(SpecialRecipe(part.match, recipe))
    return tuple(made)
