"""Read the items that may need work, and judge each by itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice

from bg_pipeline import __version__
from bg_pipeline.core.blocks import digest_under
from bg_pipeline.core.delta import Goal, Held, SetAside, classify, is_up_to_date
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Entry, Reason
from bg_pipeline.core.relations import stays_until_asked
from bg_pipeline.core.revert import Reverted, by_key
from bg_pipeline.core.survey import Candidate, Judged, Survey, survey
from bg_pipeline.ports.context import Accounts, Catalogue, Policy
from bg_pipeline.purchasing.masters import bought_for_good

_PART = 1000
"""Items that are looked at together, to see if they are held."""


def judged_under(policy: Policy) -> str:
    """Return the digest of all settings that decide whether an item needs nothing. Another version may do otherwise."""
    return digest_under("", (__version__, policy.recipes.accepted, policy.filter.patterns))


@dataclass(frozen=True)
class Judge:
    """
    Judges the items of a catalogue, each by itself.

    Args:
        catalogue: the catalogue.
        accounts: access to earlier purchases.
        policy: the wanted results, and their prices.
        missing: by key, the name of a published output that is missing.
        rerender: accept only outputs of the present renderer.
    """

    catalogue: Catalogue
    accounts: Accounts
    policy: Policy
    missing: Mapping[str, str]
    rerender: bool = False

    def price_of(self, entry: Entry) -> Decimal:
        """Return the credits for the cut of an item."""
        return self._prices[self.policy.recipes.name_of(entry.key)]

    def bought(self, entries: Iterable[Entry], findings: Survey) -> set[str]:
        """Return the purchases that could serve these items and have a master."""
        return bought_for_good(self.accounts.purchases, self.policy.recipes, entries, findings.purchase_ids)

    def survey(self, *, lists_held: bool) -> tuple[list[Entry], Survey]:
        """
        Return the items that may need work, and the judgement of all.

        After a change of the recipe, almost all items can wait for a person, night after night. They are counted as
        they are read, and not kept.

        Args:
            lists_held: keep them too.
        """
        deltas, goal_of = self.catalogue.deltas, self._goal_of
        under = "" if self.rerender else judged_under(self.policy)
        rest, known = deltas.count(), deltas.judged(under)
        entries: list[Entry] = []
        up_to_date: list[tuple[str, int]] = []
        held, set_aside = Held(), dict[Reason, SetAside]()
        outdated = deltas.out_of_date(self.policy.recipes.common_goal(rerender=self.rerender), under)
        while part := list(islice(outdated, _PART)):
            # By its own recipe it may be: the database knows only what all recipes have in common.
            settled = {entry.key for entry in part if is_up_to_date(entry, goal_of(entry.key))}
            up_to_date += [(entry.key, entry.revision) for entry in part if entry.key in settled]
            part = [entry for entry in part if entry.key not in settled]
            waiting = {} if lists_held else self._held(part)
            entries += [entry for entry in part if entry.key not in waiting]
            if waiting:
                these = [each.entry for each in waiting.values()]
                credits_ = sum(map(self.price_of, these), Decimal(0))
                held = held.and_these(Held(len(these), credits_, frozenset(entry.collection for entry in these)))
                first = next(iter(waiting.values())).change
                aside = SetAside(len(these), first.key, first.because)
                set_aside[first.reason] = aside.and_these(set_aside.get(first.reason))
        lost = deltas.get_many(sorted(self.missing.keys() - {e.key for e in entries}, key=key_bytes))
        for state, (total, key) in known.items():
            number = total - sum(e.state is state for e in lost)
            rest -= number
            for entry in deltas.get_many([key]):
                reason, because = classify(entry, goal_of(key), left_out=self.policy.filter.leaves_out(key))
                aside = SetAside(number, key, because)
                set_aside[reason] = aside.and_these(set_aside.get(reason))
        unchanged = rest - len(entries) - len(lost) - held.items
        return entries + lost, self._survey(entries + lost, Judged(unchanged, set_aside, up_to_date, held))

    def _held(self, entries: Sequence[Entry]) -> dict[str, Candidate]:
        """Return by key those that stay as they are until a person asks for them, whatever the others are."""
        findings = self._survey(entries, Judged())
        bought = self.bought(entries, findings)
        return {each.entry.key: each for each in findings.candidates if stays_until_asked(each, self.missing, bought)}

    def _survey(self, entries: Sequence[Entry], others: Judged) -> Survey:
        return survey(
            entries,
            self._goal_of,
            self.missing,
            others,
            leaves_out=self.policy.filter.leaves_out,
            reverted=self._reverted,
            order=self.policy.order,
        )

    @cached_property
    def _goal_of(self) -> Callable[[str], Goal]:
        return self.policy.recipes.goals(rerender=self.rerender)

    @cached_property
    def _reverted(self) -> Mapping[str, Sequence[Reverted]]:
        return by_key(self.catalogue.reversions.all())

    @cached_property
    def _prices(self) -> Mapping[str, Decimal]:
        policy = self.policy
        special = {each.name: policy.price_with(each.recipe) for each in reversed(policy.recipes.special)}
        return {"": policy.price} | special
