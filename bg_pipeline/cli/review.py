"""`bg-pipeline review`: look at results, and decide about them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.options import as_json, person, print_json, run_name
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.keys import decode_partition, encode_partition, gallery_page, master_name
from bg_pipeline.core.records import Entry
from bg_pipeline.core.review import WHEN_DECIDED, ReviewDecision
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline import review as reviews
from bg_pipeline.pipeline.swap import swap
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.stores.locations import location_of
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import Settings, load_settings

_DECISIONS = {each.value.replace("_", "-"): each for each in ReviewDecision}

_THEN = {
    ReviewDecision.APPROVE: "the next sync publishes it, if it is not on the shop",
    ReviewDecision.REJECT: "off the shop until its picture changes",
    ReviewDecision.REDO: "the next sync buys it again",
    ReviewDecision.TAKE_OFF: "off the shop until it is approved or requested again",
    ReviewDecision.SWAP: "the next sync publishes it",
}


@click.command()
@one_catalogue
@click.argument("decision", type=click.Choice(["list", *_DECISIONS]), default="list")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--why", default="", metavar="TEXT", help="Reason of the decision, kept with it.")
@click.option("--serve", is_flag=True, help="Show all results in a browser on this machine, and decide there.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), metavar="P", help="Port to serve on; default: of BG_REVIEW_URL."
)
@click.option("--pages", is_flag=True, help="Write the same pages as files to BG_GALLERY, without decisions.")
@click.option("--collection", metavar="C", help="Write only the page of this collection; `.` is the top folder.")
@as_json
def review(
    catalogue: str | None,
    decision: str,
    keys: tuple[str, ...],
    *,
    why: str,
    serve: bool,
    port: int | None,
    pages: bool,
    collection: str | None,
    as_json: bool,
) -> None:
    """Show results to a person, and carry out what is decided. It buys nothing: redo asks the next sync to."""
    _validate(decision, keys, why, serve=serve, port=port, pages=pages, collection=collection, as_json=as_json)
    settings = load_settings(catalogue)
    gallery = settings.catalogue.open_gallery(settings.raw)
    with open_pipeline(settings, run_name("review")) as pipeline:
        if serve:
            _serve(settings, pipeline, gallery, port)
        elif pages:
            _write_pages(settings, pipeline, gallery, collection, as_json)
        elif decision == "list":
            waiting = reviews.in_quarantine(pipeline.catalogue)
            names = {gallery_page(entry.collection) for entry in waiting}
            pages_there = {name for name in names if gallery.read(name) is not None}
            _show_waiting([_case(settings, entry, pages_there) for entry in waiting], as_json)
        else:
            _decide(pipeline, _DECISIONS[decision], keys, why, as_json)


def _validate(
    decision: str,
    keys: Sequence[str],
    why: str,
    *,
    serve: bool,
    port: int | None,
    pages: bool,
    collection: str | None,
    as_json: bool,
) -> None:
    if (decision == "list") == bool(keys):
        raise click.UsageError(f"name the items to {' or '.join(_DECISIONS)}, as `bg-pipeline review` lists them")
    if decision == ReviewDecision.SWAP.value and len(set(keys)) != 2:
        raise click.UsageError("swap takes the keys of two items: each gets the result of the other")
    if (serve and (pages or as_json)) or ((serve or pages) and keys):
        raise click.UsageError("--serve, --pages and a decision exclude each other; --serve has no --json")
    if (port is not None and not serve) or (collection is not None and not pages) or (why and not keys):
        raise click.UsageError("--port belongs to --serve, --collection to --pages, and --why to a decision")


def _serve(settings: Settings, pipeline: Pipeline, gallery: BlobStore, port: int | None) -> None:
    # Loaded here: the server takes a third of a second to load.
    from bg_pipeline.web.serve import port_of, serve  # noqa: PLC0415

    serve(
        pipeline,
        gallery,
        _announce,
        port=port_of(settings.alerts.review_url) if port is None else port,
        by=person(),
        share=settings.catalogue.review_share,
    )


def _announce(link: str) -> None:
    say(f"review: {link}")
    say("The link works once, on this machine, for a browser of yours. Ctrl-C ends the review.", err=True)


def _write_pages(
    settings: Settings, pipeline: Pipeline, gallery: BlobStore, collection: str | None, as_json: bool
) -> None:
    from bg_pipeline.web.static import write_page  # noqa: PLC0415  as above

    known = pipeline.catalogue.items.collections()
    chosen = list(known) if collection is None else [decode_partition(collection)]
    for name in chosen:
        if name not in known:
            names = ", ".join(map(encode_partition, list(known)[:20]))
            raise ConfigurationError(f"there is no collection {name!r}; there are: {names or 'none'}")
    written = []
    for name in chosen:
        items = write_page(pipeline, gallery, name, share=settings.catalogue.review_share)
        page = location_of(settings.catalogue.gallery, gallery_page(name))
        written.append({"collection": encode_partition(name), "items": len(items), "page": page})
        if not as_json:
            say(f"{len(items):,} items: {page}")
    if as_json:
        print_json(written)


def _case(settings: Settings, entry: Entry, pages: Collection[str]) -> dict[str, Any]:
    page = gallery_page(entry.collection)
    return {
        "key": entry.key,
        "collection": encode_partition(entry.collection),
        "why": entry.detail,
        "page": location_of(settings.catalogue.gallery, page) if page in pages else None,
        "master": f"{settings.masters.masters}/{master_name(entry.purchase_id)}",
    }


def _show_waiting(waiting: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(waiting)
        return
    out = Terminal()
    shown = [(c["key"], c["why"], c["page"] or c["master"]) for c in waiting[: out.most_rows]]
    if shown:
        out.print(render.grid(("item", "why", "picture"), shown))
    if len(waiting) > len(shown):
        out.print(f"and {len(waiting) - len(shown)} more: --json prints all")
    decide = f"decide: bg-pipeline review --serve, or bg-pipeline review {'|'.join(_DECISIONS)} KEY"
    say(decide if waiting else "no item waits for a review")


def _decide(pipeline: Pipeline, decision: ReviewDecision, keys: Sequence[str], why: str, as_json: bool) -> None:
    decided: list[str] = []
    if decision is ReviewDecision.SWAP:
        decided, keys = swap(pipeline, (keys[0], keys[1]), person(), why), ()
    for key in keys:
        if key not in decided:  # an earlier item may have the same picture
            decided += reviews.decide(pipeline, decision, key, person(), why)
    if as_json:
        print_json({"decision": decision.value, "keys": decided})
        return
    if not decided:
        say("both stay in quarantine: a result does not fit the other picture either, as `bg-pipeline review` says")
    for key in decided:
        say(f"{key}: {WHEN_DECIDED[decision]}; {_THEN[decision]}")
