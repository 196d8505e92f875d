"""The review as an ASGI application."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bg_pipeline.core.keys import decode_partition, thumbnail_name
from bg_pipeline.core.review import ReviewDecision, Seen
from bg_pipeline.errors import BgPipelineError, ItemError, StoreError
from bg_pipeline.imaging.pictures import display
from bg_pipeline.pipeline.gallery import Picture, pictures_of, read_picture
from bg_pipeline.pipeline.review import ReviewItem, decide, items_to_review, review_item
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.web.access import Access
from bg_pipeline.web.page import data_of, row_of, served_page
from bg_pipeline.web.static import THUMBNAIL_PX

SIZES_PX = {"small": THUMBNAIL_PX, "large": 1600, "full": 16_383}
"""Longest side of a picture by its name in the path; a WebP has at most 16,383 px a side."""

_MOST_BYTES = 100_000
"""Of a request: a decision has a key and a reason."""

_LONGEST_REASON = 500

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_NO_LINK = "open the link that `bg-pipeline review --serve` shows in its terminal; it makes a new one after each use"


class ReviewApp:
    """
    The routes of the review.

    Args:
        pipeline: the whole pipeline.
        pages: the gallery, for its thumbnails.
        access: who may use it.
        by: the person, as decisions name them.
        share: share of the published items to look at.
    """

    def __init__(self, pipeline: Pipeline, pages: BlobStore, access: Access, *, by: str, share: float) -> None:
        self._pipeline = pipeline
        self._pages = pages
        self._access = access
        self._by = by
        self._share = share
        self._pictures: dict[str, Picture] = {}
        """Pictures that were named in an answer, by digest."""

    def asgi(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._page, methods=["GET"]),
            Route("/session", self._session, methods=["POST"]),
            Route("/items", self._items, methods=["GET"]),
            Route("/decisions", self._decisions, methods=["POST"]),
            Route("/pictures/{secret}/{size}/{digest}.webp", self._picture, methods=["GET"]),
        ]
        return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guarded)])

    async def _guarded(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = self._access.refuses(request.method, request.headers)
        response = PlainTextResponse(refused, 403) if refused else await answer(request)
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response

    async def _page(self, _request: Request) -> Response:
        page = served_page()
        return HTMLResponse(page.html, headers={"Content-Security-Policy": page.content_security_policy})

    async def _session(self, request: Request) -> Response:
        token = self._access.redeem(str((await _fields(request)).get("link", "")))
        return JSONResponse({"token": token}) if token else _refusal(_NO_LINK, 401)

    async def _items(self, request: Request) -> Response:
        if not self._access.is_authorized(request.headers):
            return _refusal(_NO_LINK, 401)
        chosen = request.query_params.get("collection")
        collection = None if chosen is None else decode_partition(chosen)
        return await run_sync(self._list, collection)

    def _list(self, collection: str | None) -> Response:
        catalogue, accounts, policy, _ = self._pipeline.context
        try:
            items = items_to_review(catalogue, accounts, policy, collection, share=self._share)
        except BgPipelineError as error:
            return _refusal(str(error), 503)
        for item in items:
            self._remember(item)
        pictures = f"pictures/{self._access.picture_secret}"
        return _json(data_of(items, price=float(policy.price), pictures=pictures))

    async def _decisions(self, request: Request) -> Response:
        if not self._access.is_authorized(request.headers):
            return _refusal(_NO_LINK, 401)
        fields = await _fields(request)
        try:
            decision = ReviewDecision(str(fields.get("decision")))
            content_hash, result_digest = map(str, fields["seen"])
            key, reason = str(fields["key"]), str(fields.get("reason", ""))[:_LONGEST_REASON]
        except (KeyError, TypeError, ValueError):
            return _refusal("a decision names its item, what is decided, and the pictures that were seen", 400)
        return await run_sync(self._decide, decision, key, reason, Seen(content_hash, result_digest))

    def _decide(self, decision: ReviewDecision, key: str, reason: str, seen: Seen) -> Response:
        try:
            keys = decide(self._pipeline, decision, key, self._by, reason, seen)
        except BgPipelineError as error:
            return _refusal(str(error), 409)
        return _json({"items": [self._row(key) for key in keys]})

    def _row(self, key: str) -> dict[str, Any]:
        item = review_item(*self._pipeline.context[:3], key)
        self._remember(item)
        return row_of(item)

    def _remember(self, item: ReviewItem) -> None:
        self._pictures.update((picture.digest, picture) for picture in pictures_of(item))

    async def _picture(self, request: Request) -> Response:
        path = request.path_params
        picture, size_px = self._pictures.get(path["digest"]), SIZES_PX.get(path["size"])
        if not self._access.may_see(path["secret"]) or picture is None or size_px is None:
            return PlainTextResponse("there is no such picture", 404)
        return await run_sync(self._show, picture, size_px)

    def _show(self, picture: Picture, size_px: int) -> Response:
        try:
            data = self._thumbnail(picture) if size_px == THUMBNAIL_PX else self._display(picture, size_px)
        except BgPipelineError as error:
            return PlainTextResponse(str(error), 404)
        # The digest in its path names the bytes that it is made of.
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=86400, immutable"})

    def _thumbnail(self, picture: Picture) -> bytes:
        name = thumbnail_name(picture.digest)
        try:
            stored = self._pages.read(name)
        except (ItemError, StoreError):
            stored = None
        if stored is not None:
            return stored
        data = self._display(picture, THUMBNAIL_PX)
        try:
            self._pages.write(name, data)
        except (ItemError, StoreError):  # it is made again next time
            return data
        return data

    def _display(self, picture: Picture, size_px: int) -> bytes:
        catalogue, accounts, _, run = self._pipeline.context
        return run.call(display, read_picture(catalogue, accounts, picture), size_px)


async def _fields(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a request; empty if it has none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return {}
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _refusal(why: str, status: int) -> Response:
    return _json({"error": why}, status)


def _json(value: Any, status: int = 200) -> Response:
    # In ASCII: a key may hold bytes that are not UTF-8, and Starlette's own JSON refuses them.
    return Response(json.dumps(value).encode("ascii"), status, media_type="application/json")
