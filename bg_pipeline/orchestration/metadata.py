"""A run's results for its operator, as Dagster metadata."""

import base64
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from urllib.parse import urlencode

import dagster as dg
from sqlalchemy import Table

from bg_pipeline.core.buying import BuyOrder, plan_purchases
from bg_pipeline.core.credits import Reconciliation
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.records import Attempt
from bg_pipeline.core.report import Failure, Summary
from bg_pipeline.core.runlog import Record
from bg_pipeline.imaging.sheet import Pair, contact_sheet
from bg_pipeline.pipeline.export import TableResult
from bg_pipeline.pipeline.listing import ScanResult
from bg_pipeline.pipeline.prune import PruneResult
from bg_pipeline.pipeline.trash import TrashResult
from bg_pipeline.ports.context import Pipeline

Metadata = dict[str, dg.MetadataValue]
Row = Mapping[str, str | int | float]

OWNERS = ["team:catalogue"]
"""Owners of every asset, shown on its page."""

_MOST_ROWS = 40
"""Most rows of a table: metadata is stored in the event log. The command line lists the rest."""


def of_scan(scan: ScanResult) -> Metadata:
    return {
        "items": dg.MetadataValue.int(scan.listed),
        "megabytes": dg.MetadataValue.float(round(scan.listed_bytes / 1e6, 1)),
        "hashed": dg.MetadataValue.int(scan.hashed),
        "rehashed": dg.MetadataValue.int(scan.rehashed),
        "gone": dg.MetadataValue.int(len(scan.absent)),
        "left_out": dg.MetadataValue.json(dict(scan.left_out)),
        "still_written": reasons(scan.still_written),
        "unreadable": reasons(scan.unreadable),
        "not_looked_at": reasons(scan.not_looked),
        "hosts_down": reasons({each.host: f"{each.items} items: {each.why}" for each in scan.hosts_down}),
    }


def of_seconds(pipeline: Pipeline, **stages: type[Record]) -> Metadata:
    """Return the duration of each stage of this run, by the record that it left."""
    last = {name: next(iter(pipeline.catalogue.run_log.read(kind)), None) for name, kind in stages.items()}
    return {
        name: dg.MetadataValue.float(round(max(0.0, record.ended_at - record.started_at), 2))
        for name, record in last.items()
        if record is not None and record.run_id == pipeline.run.name.run_id
    }


def of_pruned(pruned: PruneResult) -> Metadata:
    """Return the counts of masters that no item uses."""
    return {
        "masters_pruned": dg.MetadataValue.int(len(pruned.removed)),
        "masters_unused": dg.MetadataValue.int(pruned.unused),
        "pruning_stopped": dg.MetadataValue.text(pruned.stopped or "no"),
    }


def of_trash(trashed: TrashResult) -> Metadata:
    """Return the counts of trashed and purged cutouts of deleted pictures."""
    return {
        "trashed": dg.MetadataValue.int(len(trashed.moved)),
        "purged": dg.MetadataValue.int(len(trashed.purged)),
        "trash_stopped": dg.MetadataValue.text(trashed.stopped or "no"),
    }


def of_money(lost: Sequence[Attempt], drift: Mapping[str, Reconciliation]) -> Metadata:
    """Return the purchases that killed runs left in doubt, and each balance compared with the ledger."""
    return {
        "in_doubt_of_killed_runs": dg.MetadataValue.int(len(lost)),
        "balance_and_ledger": table(
            [
                {
                    "account": account,
                    "fell_by": _number(compared.fell_by),
                    "charged": _number(compared.charged),
                    "drift": _number(compared.drift),
                    "why": compared.because,
                }
                for account, compared in drift.items()
            ]
        ),
    }


def of_delta(delta: Delta, pending: Mapping[str, int]) -> Metadata:
    work = delta.by_collection()
    rows: list[Row] = [
        {
            "collection": name,
            "pending": count,
            "purchases": sum(c.purchase for c in work.get(name, [])),
            "credits": _number(sum((c.credits for c in work.get(name, [])), Decimal(0))),
        }
        for name, count in pending.items()
    ]
    return {
        **{reason: dg.MetadataValue.int(count) for reason, count in delta.counts.items()},
        "purchases": dg.MetadataValue.int(delta.purchases),
        "credits": dg.MetadataValue.float(_number(delta.credits)),
        "pending": dg.MetadataValue.int(sum(pending.values())),
        "held_for_recipe_change": dg.MetadataValue.int(delta.held.items),
        "pending_by_collection": table(rows),
        "changes": table([{"key": c.key, "class": c.reason.value, "because": c.because} for c in delta.changes]),
    }


def of_order(delta: Delta, order: BuyOrder) -> Metadata:
    """Return the purchases of a delta by the steps of their order."""
    steps = plan_purchases(delta.work, order, ()).steps
    rows: list[Row] = [
        {"step": each.step, "items": each.items, "purchases": each.purchases, "credits": _number(each.credits)}
        for each in steps
    ]
    return {"bought_first": table(rows)}


def of_summary(summary: Summary, sheet: Sequence[Pair]) -> Metadata:
    metadata: Metadata = {
        "published": dg.MetadataValue.int(summary.published),
        "purchases": dg.MetadataValue.int(summary.purchases),
        "credits": dg.MetadataValue.float(_number(summary.credits)),
        **{f"credits_at_{name}": dg.MetadataValue.float(_number(n)) for name, n in sorted(summary.credits_at.items())},
        "credits_saved": dg.MetadataValue.float(_number(summary.saved)),
        "failed": dg.MetadataValue.int(summary.failed),
        "quarantined": dg.MetadataValue.int(summary.quarantined),
        "pending": dg.MetadataValue.int(summary.pending),
        "in_doubt": dg.MetadataValue.int(summary.in_doubt),
        "seconds": dg.MetadataValue.float(round(summary.seconds, 2)),
        "images_per_second": dg.MetadataValue.float(round(summary.images_per_second, 2)),
        "published_by_reason": table([{"class": r, "items": n} for r, n in sorted(summary.by_reason.items())]),
        "failures": of_failures(summary.failures),
    }
    if summary.paused:
        metadata["paused"] = dg.MetadataValue.text(summary.paused)
    if summary.backlog:
        metadata["stopped"] = dg.MetadataValue.text(summary.backlog)
    if sheet:
        metadata["contact_sheet"] = picture(sheet)
    return metadata


def of_table(table: TableResult | None) -> Metadata:
    """Return the location of the table beside the outputs, or why it is not up to date; nothing without a table."""
    if table is None:
        return {}
    problem = f"not up to date: {table.problem}"
    return {"table": dg.MetadataValue.text(problem if table.problem else table.location)}


def of_part(summary: Summary) -> Metadata:
    """
    Return the metadata of one collection among hundreds in a night, kept short.

    The cost is in the description: each entry takes 180 bytes, and with one less a third event fits on a SQLite page.
    """
    metadata: Metadata = {"published": dg.MetadataValue.int(summary.published)}
    for label, count in {"failed": summary.failed, "pending": summary.pending}.items():
        if count:
            metadata[label] = dg.MetadataValue.int(count)
    if summary.failures:
        metadata["failures"] = of_failures(summary.failures)
    if summary.paused:
        metadata["paused"] = dg.MetadataValue.text(summary.paused)
    return metadata


def of_review(review_url: str, collection: str = "") -> Metadata:
    """Return the link to the review, of one collection or of all; nothing if no setting gives its address."""
    if not review_url:
        return {}
    chosen = f"/?{urlencode({'collection': collection})}" if collection else ""
    return {"review": dg.MetadataValue.url(f"{review_url}{chosen}")}


def of_failures(failures: Sequence[Failure]) -> dg.MetadataValue:
    return table([{"key": f.key, "state": f.state, "why": f.detail} for f in failures])


def picture(sheet: Sequence[Pair]) -> dg.MetadataValue:
    """Return the contact sheet inline: Dagster shows pictures only in Markdown. A few KB, because it is stored."""
    if not sheet:
        return dg.MetadataValue.text("none")
    out = io.BytesIO()
    contact_sheet(sheet, columns=2, cell_px=112).save(out, "WEBP", quality=60, method=6)
    return dg.MetadataValue.md(
        f"![before and after](data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()})"
    )


def columns_of(described: Table) -> dg.TableSchema:
    """Return the schema of a manifest table in Dagster's form."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                str(column.type),
                column.doc,
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=column.primary_key),
            )
            for column in described.columns
        ]
    )


def table(rows: Sequence[Row]) -> dg.MetadataValue:
    """Return a table, or the text "none" if it is empty."""
    if not rows:
        return dg.MetadataValue.text("none")
    kinds = {name: "string" if isinstance(value, str) else type(value).__name__ for name, value in rows[0].items()}
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _safe(value) for name, value in row.items()}) for row in rows[:_MOST_ROWS]],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in kinds.items()]),
    )


def reasons(by_key: Mapping[str, str]) -> dg.MetadataValue:
    """Return a table of keys, each with its reason."""
    return table([{"key": key, "why": why} for key, why in by_key.items()])


def _safe(value: str | float) -> str | float:
    # A key may hold bytes that are not UTF-8, which no Dagster storage accepts.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _number(value: Decimal) -> float:
    return round(float(value), 3)


def spend_check(summary: Summary, asset: dg.AssetKey | None = None) -> dg.AssetCheckResult:
    """Return the check that nothing was paid in vain, and nothing is in doubt; of the step's own asset by default."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name="spend",
        passed=not (summary.in_doubt or summary.wasted),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "credits": float(summary.credits),
            "in_doubt": summary.in_doubt,
            "wasted": summary.wasted,
            "awaited": summary.awaited,
        },
    )
