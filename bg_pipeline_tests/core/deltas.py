"""Recipes and entries of a small catalogue, and the delta of them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.delta import Delta, Goal, classify
from bg_pipeline.core.keys import allocate_stems, fold, preferred_stem
from bg_pipeline.core.recipe import Cut, Recipe, Rendition, purchase_id
from bg_pipeline.core.records import Change, Entry, Published, Reason, State
from bg_pipeline.core.relations import price
from bg_pipeline.core.revert import Reverted, by_key
from bg_pipeline.core.survey import survey

RECIPE = Recipe((Cut("bgeraser", 2500),), Rendition())
OTHER_CUT = Recipe((Cut("bgeraser", 1000),), Rendition())
OTHER_RENDITION = Recipe((Cut("bgeraser", 2500),), Rendition(format="webp"))


def published(content: str = "h", recipe: Recipe = RECIPE) -> Published:
    return Published(
        purchase_id(content, recipe.cut.digest), recipe.cut.digest, recipe.rendition.digest, "a.png", "digest", content
    )


def entry(key: str = "c/a.jpg", content: str = "h", state: State = State.PUBLISHED, **more: object) -> Entry:
    made = Entry(key, key.partition("/")[0], content, "image/jpeg", state, stem=key.rpartition(".")[0])
    if state is State.PUBLISHED:
        made = replace(made, published=published(content), reason=Reason.NEW)
    return replace(made, **more)  # type: ignore[arg-type]


def delta_of(
    *entries: Entry,
    bought: set[str] = frozenset(),
    apply: bool = False,
    recipe: Recipe = RECIPE,
    lost: set[str] = frozenset(),
    limit: int | None = None,
    rerender: bool = False,
    reverted: Sequence[Reverted] = (),
    on_trial: Collection[str] = (),
) -> Delta:  # type: ignore[assignment]
    goal = Goal.of(recipe, rerender=rerender)
    found = survey(entries, lambda _key: goal, missing_outputs=dict.fromkeys(lost, "a.png"), reverted=by_key(reverted))
    unchanged = [
        e for e in entries if classify(e, goal, missing_output="a.png" * (e.key in lost))[0] is Reason.UNCHANGED
    ]
    publishing_keys = {e.published.purchase_id: e.key for e in reversed(unchanged) if e.published}
    return price(
        found,
        price=lambda _entry: Decimal(1),
        bought=bought | set(publishing_keys),
        publishing_keys=publishing_keys,
        taken={fold(e.stem) for e in entries if e.stem and not e.absent}.__contains__,
        apply_recipe_change=apply,
        recipe_change_limit=limit,
        on_trial=on_trial,
    )


def change(delta: Delta, key: str) -> Change:
    return next(c for c in delta.changes if c.key == key)


def stems_given(several: Iterable[str], taken: Callable[[str], bool] = lambda _folded: False) -> dict[str, str]:
    """Output stems of keys without one, in key order."""
    return allocate_stems({key: preferred_stem(key) for key in several}, taken)
