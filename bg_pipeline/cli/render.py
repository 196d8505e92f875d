"""Formatting of results for the terminal."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from bg_pipeline.cli.terminal import Terminal, printable
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.failures import StandingFailure
from bg_pipeline.core.hosts import HostOutage
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.limits import Learned
from bg_pipeline.core.moments import iso
from bg_pipeline.core.records import Attempt, Entry, Output
from bg_pipeline.core.report import Summary
from bg_pipeline.core.retry import moment
from bg_pipeline.core.review import DecisionRecord
from bg_pipeline.pipeline.listing import ScanResult
from bg_pipeline.pipeline.prune import PruneResult
from bg_pipeline.pipeline.review import Withdrawals
from bg_pipeline.pipeline.sizes import Size
from bg_pipeline.pipeline.trash import TrashResult


def number(value: Decimal | float | None) -> str:
    """Format a number such as `12` or `0.25`; a dash if unknown."""
    return "–" if value is None else f"{float(value):,.3f}".rstrip("0").rstrip(".")


def balance(facts: Mapping[str, Any]) -> str:
    """Format `money.standing`'s count-down, and the vendor's last reading where it differed."""
    left = number(facts["balance"])
    if not facts["drift"]:
        return left
    return (
        f"{left} (at the last reading the vendor showed {number(facts['reading'])}, {facts['drift']:+g} to the ledger)"
    )


def limits(learned: Learned) -> dict[str, str]:
    """Format the limits that an account is known to have, and its wait."""
    return {
        "in_flight": number(learned.in_flight),
        "per_minute": number(learned.per_minute),
        "waits_until": "–" if learned.waits_until is None else moment(learned.waits_until),
    }


def limits_line(account: str, facts: Mapping[str, str]) -> str:
    """Format the facts of `limits` for people."""
    waits = "" if facts["waits_until"] == "–" else f"; no request before {facts['waits_until']}"
    return f"limits of {account}: {facts['in_flight']} in flight, {facts['per_minute']} a minute{waits}"


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> Table:
    """Make a plain table; `numbers` are the right-aligned columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def show_scan(out: Terminal, scan: ScanResult, source: str) -> None:
    again = f" ({scan.rehashed:,} of them unchanged by their listing: BG_REHASH_NIGHTS)" if scan.rehashed else ""
    out.print(
        f"{source}: {scan.listed:,} files, {scan.listed_bytes / 1e6:,.1f} MB; "
        f"{scan.hashed:,} hashed{again}, {len(scan.absent):,} gone"
    )
    if scan.left_out:
        counts = ", ".join(f"{count:,} by {printable(pattern)}" for pattern, count in scan.left_out.items())
        out.print(f"left out, by BG_EXCLUDE_SYSTEM, BG_EXCLUDE or BG_INCLUDE: {counts}")
    for key, why in scan.still_written.items():
        out.print(f"  {printable(key)} is still being written: {why}. The next scan looks at it again")
    if scan.moved:
        out.print(f"{scan.moved:,} belong to another collection, because BG_COLLECTION_DEPTH changed")
    for key, why in scan.unreadable.items():
        out.print(f"  {key}: {why}")
    for key, why in scan.not_looked.items():
        out.print(f"  could not look at {key}: {why}. What was known there stays as it was")
    _show_hosts(out, scan.hosts_down)


def _show_hosts(out: Terminal, outages: Sequence[HostOutage]) -> None:
    for each in outages:
        out.print(
            f"  the picture host {each.host} does not serve: {each.why}. Its {each.items:,} items stay as they were; "
            "the next scan looks again"
        )


def show_rows(out: Terminal, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print `Delta.rows`."""
    cells = [(r["class"], str(r["items"]), str(r["to_buy"]), number(r["credits"]), r["why"]) for r in rows]
    out.print(grid(("class", "items", "to buy", "credits", "why"), cells, numbers=(1, 2, 3)))


def show_delta(out: Terminal, delta: Delta) -> None:
    """Print the pending work and its reasons."""
    if delta.changes or delta.held.items:
        show_rows(out, delta.rows)
    out.print(f"unchanged: {delta.unchanged:,}")
    for key, stem in delta.collisions.items():
        out.print(
            f"collision: {key} will be {stem}.*: its plain name belongs to another item, is too "
            "long, or would be hidden"
        )
    if delta.held.items:
        cost = number(delta.held.credits)
        out.print(
            f"held: {delta.held.items:,} items were cut by another recipe; cutting them again costs {cost} credits. "
            "They stay unchanged until `bg-pipeline sync --apply-recipe-change`; `bg-pipeline canary` tries the recipe "
            "first"
        )
    for run, count in delta.reverted.items():
        out.print(
            f"held: {count:,} items stay as they are, because the run {run!r} was reverted; "
            f"`bg-pipeline revert {run!r} --redo` publishes them again, for nothing"
        )


def show_copies(out: Terminal, copies: Mapping[str, int]) -> None:
    for pattern, count in copies.items():
        out.print(
            f"{count:,} of these look like smaller copies of others: BG_EXCLUDE='{pattern}' leaves such names out"
        )


def show_trashed(out: Terminal, trashed: TrashResult) -> None:
    if trashed.moved or trashed.purged:
        out.print(
            f"deleted pictures: {len(trashed.moved)} cutouts went to the trash (restore: bg-pipeline trash restore "
            f"KEY), {len(trashed.purged)} were deleted for good"
        )
    for key, why in trashed.left.items():
        out.print(f"kept the cutout of {key}, which is no longer listed: {why}")


def show_sizes(out: Terminal, sizes: Mapping[str, Size | None]) -> None:
    rows = [
        (name, *(("–", "–") if each is None else (f"{each.files:,}", decimal(each.size_bytes))))
        for name, each in sizes.items()
    ]
    out.print(grid(("stored", "files", "size"), rows, numbers=(1, 2)))


def show_withdrawals(out: Terminal, withdrawals: Withdrawals) -> None:
    for key, why in withdrawals.left.items():
        out.print(f"kept the cutout of {key}, which a person took off the shop: {why}")


def show_pruned(out: Terminal, pruned: PruneResult) -> None:
    if pruned.removed:
        out.print(f"masters that no item used: {len(pruned.removed):,} were deleted, {pruned.unused:,} wait")
    for name, why in pruned.left.items():
        out.print(f"kept the master {name}, which no item uses: {why}")


def show_trash(out: Terminal, entries: Sequence[Entry], days: int) -> None:
    if not entries:
        out.print("the trash is empty")
        return
    out.print(grid(("item", "cutout", "since"), [(e.key, e.trash_name, iso(e.trashed_at or 0.0)) for e in entries]))
    out.print(f"deleted for good after {days} days; restore: bg-pipeline trash restore KEY ...")


def show_offers(out: Terminal, offers: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        (
            name,
            number(facts["credits"]),
            "–" if facts["money_usd"] is None else f"{facts['money_usd']:,.2f}",
            number(facts["balance"]),
            {True: "yes", False: "no", None: "–"}[facts["enough"]],
        )
        for name, facts in offers.items()
    ]
    out.print(grid(("vendor", "credits", "USD", "balance", "enough"), rows, numbers=(1, 2, 3)))


def show_summary(out: Terminal, summary: Summary) -> None:
    out.print(
        f"published {summary.published:,}, bought {summary.purchases:,} for {number(summary.credits)} credits, "
        f"failed {summary.failed}, quarantined {summary.quarantined}, pending {summary.pending}; "
        f"{summary.seconds:.1f} s, {summary.images_per_second:.1f} images/s"
    )
    if summary.in_doubt or summary.wasted:
        out.print(
            f"money: {summary.in_doubt} purchases in doubt ({number(summary.credits_in_doubt)} credits if they were "
            f"charged), {summary.wasted} charged without a cutout; `bg-pipeline why KEY` shows the attempts"
        )
    if summary.awaited:
        out.print(f"{summary.awaited} paid answers are in the spool, not yet stored as masters; the next sync goes on")
    show_failures(out, [(f.key, f.state, f.detail) for f in summary.failures])
    if summary.standing:
        out.print(f"{summary.standing} failures stand until they are gone or accepted: bg-pipeline failures")
    if summary.paused:
        out.print(f"paused: {summary.paused}")
    if summary.budget_reached:
        out.print("stopped at the credit limit; pending items wait for the next sync")
    if summary.backlog:
        out.print(f"stopped: {summary.backlog}")


def show_failures(out: Terminal, failures: Sequence[tuple[str, str, str]]) -> None:
    """Print key, state and reason of each failure."""
    shown = failures[: out.most_rows]
    if shown:
        out.print(grid(("item", "state", "why"), shown))
    if len(failures) > len(shown):
        out.print(f"and {len(failures) - len(shown)} more: bg-pipeline failures")


def acceptance(failure: StandingFailure) -> str | None:
    """Format a person's reason to accept a failure, with its time; None if it is not accepted."""
    if not failure.accepted:
        return None
    return f"{failure.accepted} ({iso(failure.accepted_at or 0.0)})"


def history(
    entry: Entry,
    attempts: Sequence[Attempt],
    failure: StandingFailure | None,
    decisions: Sequence[DecisionRecord] = (),
    others: Sequence[Output] = (),
) -> dict[str, Any]:
    """Return the whole history of one item, for JSON."""
    return {
        "key": entry.key,
        "collection": encode_partition(entry.collection),
        "state": entry.state.value,
        "class": entry.reason.value if entry.reason else None,
        "detail": entry.detail,
        "unreadable": entry.problem or None,
        "accepted": None if failure is None else acceptance(failure),
        "size_bytes": entry.size_bytes,
        "media_type": entry.media_type or None,
        "content_hash": entry.content_hash,
        "output": entry.published.output_name if entry.published else None,
        "other_outputs": {each.rendition: each.published.output_name for each in others},
        "purchase_id": entry.purchase_id or None,
        "attempts": [
            {
                "at": iso(attempt.started_at),
                "provider": attempt.account,
                "state": attempt.state.value,
                "credits_expected": float(attempt.credits_expected),
                "credits_charged": float(attempt.credits_charged),
                "detail": attempt.detail,
            }
            for attempt in attempts
        ],
        "decisions": [
            {
                "at": iso(each.decided_at),
                "decision": each.decision.value,
                "by": each.decided_by,
                "reason": each.reason,
                "content_hash": each.seen.content_hash or None,
                "result": each.seen.result_digest or None,
            }
            for each in decisions
        ],
    }


def _cell(value: Any) -> str:
    text = ", ".join(value.values()) if isinstance(value, dict) else str(value or "")
    return text or "–"


def show_history(out: Terminal, facts: Mapping[str, Any]) -> None:
    tables = ("attempts", "decisions")
    rows = [(name, _cell(value)) for name, value in facts.items() if name not in tables]
    table = grid(("", ""), rows)
    table.show_header = False
    out.print(table)
    if facts["attempts"]:
        columns = ("at", "provider", "state", "credits_charged", "detail")
        rows_of_attempts = [tuple(str(a[name]) for name in columns) for a in facts["attempts"]]
        out.print(grid(("attempt", "account", "became", "credits", "detail"), rows_of_attempts, numbers=(3,)))
    else:
        out.print("no purchase was attempted for these bytes and this recipe")
    if facts["decisions"]:
        cells = [(d["at"], d["decision"], d["by"], d["reason"], d["result"] or "–") for d in facts["decisions"]]
        out.print(grid(("decided", "decision", "by", "reason", "cutout that was seen"), cells))
