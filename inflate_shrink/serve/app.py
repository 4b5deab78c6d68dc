"""The application: what is answered at which path."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Callable, Literal, Optional

from fastapi import FastAPI, File, Form, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ..digest import hex_digest
from ..errors import InputError
from . import messages, refusal
from .attentions import Attentions, has_checkpoint
from .collection import Collection, Way
from .gate import Gate
from .guard import Guard
from .limits import (
    CONTAINS_CHARACTERS,
    ID_CHARACTERS,
    MOST_K,
    MOST_OFFSET,
    PHOTO_BYTES,
    QUERY_CHARACTERS,
    Load,
)
from .matches import can_match, match
from .metrics import MEDIA_TYPE, Metrics
from .pictures import MEDIA_TYPE as JPEG
from .pictures import Pictures
from .searches import Found, Page, by_like, by_photo, by_text, told

PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_REFRESH_SECONDS = 2.0
_REFUSED = {
    status: {"model": messages.Error, "description": what}
    for status, what in {
        400: "not for this host, or no request that can be read",
        404: "no such item, or its photo has gone",
        408: "did not arrive in time",
        413: "larger than the limit",
        422: "not as described here, or not to be answered",
        503: "too much at once; Retry-After says when to ask again",
    }.items()
}

WayKey = Annotated[str, Query(max_length=100, description="a way of GET /about; empty: the first")]
Words = Annotated[str, Query(max_length=QUERY_CHARACTERS, description="words")]


class Service:
    """What the paths share.

    Attributes:
        collection, pictures, attentions, metrics: what is served. searches, decoding: threads. stopping: whether the process is
            about to end.
    """

    def __init__(self, collection: Collection, title: str, load: Load):
        self.collection, self.title, self.load = collection, title, load
        self.pictures, self.attentions, self.metrics, self.stopping = Pictures(), Attentions(), Metrics(), False
        # Pictures have threads of their own: a page of hits asks for many at once. Decoders take turns anyway.
        self.searches, self.decoding = Gate("search", load.concurrent, load), Gate("picture", 2, load)
        self.metrics.watch("items", "Items of all indexes.", lambda: collection.items)
        self.metrics.watch("searches_waiting", "Searches that wait for a thread.", lambda: self.searches.waiting)
        self.metrics.watch("searches_running", "Searches that are under way.", lambda: self.searches.running)

    async def search(self, request: Request, way: Way, search: Callable[..., Found], *arguments) -> messages.Answer:
        """Run a search in its thread, and return what is told of it."""
        found = await self.searches.run(request, search, way, *arguments)
        self.metrics.encode.observe(found.encode)
        self.metrics.search.observe(found.search)
        return messages.Answer(
            hits=[told(way, hit) for hit in found.hits],
            more=found.more,
            way=way.key,
            items=len(way.index),
            times={"encode_ms": round(1e3 * found.encode, 3), "search_ms": round(1e3 * found.search, 3)},
            notes=found.notes,
        )

    async def keep_fresh(self) -> None:
        """Follow the indexes as they move, for ever."""
        said: list[str] = []
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            failed = await asyncio.to_thread(self.collection.refresh)
            for line in set(failed) - set(said):
                print(f"note: {line}; the searches go on as before", flush=True)
            said = failed


def build_app(
    collection: Collection, title: str = "", load: Load = Load(), hosts: frozenset[str] | None = None
) -> FastAPI:
    """Return the application that serves a collection.

    Args:
        title: of the page; "": the indexes' names.
        hosts: names that requests may be for, None for any, see :class:`.guard.Guard`.
    """
    names = dict.fromkeys(index.directory.name for index in collection.indexes)
    service = Service(collection, title or ", ".join(names), load)

    @asynccontextmanager
    async def life(app: FastAPI):
        fresh = asyncio.create_task(service.keep_fresh())
        yield
        service.stopping = True
        fresh.cancel()
        with suppress(asyncio.CancelledError):
            await fresh

    app = FastAPI(
        title="Inflate and Shrink: search",
        version="1",
        lifespan=life,
        docs_url=None,  # would load scripts of others
        redoc_url=None,
        responses=_REFUSED,
    )
    app.state.service = service
    app.add_middleware(Guard, hosts=hosts, load=load, metrics=service.metrics)
    _add_errors(app)
    _add_page(app)
    _add_searches(app, service)
    _add_images(app, service)
    _add_state(app, service)
    return app


def _add_errors(app: FastAPI) -> None:
    kinds = {
        HTTPException: refusal.of_http_error,
        InputError: refusal.of_input_error,
        RequestValidationError: refusal.of_validation,
    }
    for kind, refused in kinds.items():
        app.add_exception_handler(kind, _answered_with(refused))
    fault = "a fault of the service, which its log tells of; report it"
    app.add_exception_handler(Exception, lambda request, error: JSONResponse({"error": fault}, 500))


def _answered_with(refused: Callable[[Exception], refusal.Refusal]) -> Callable:
    async def answer(request: Request, error: Exception) -> Response:
        return refused(error).response

    return answer


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page(request: Request) -> Response:
        return _file(request, "index.html")

    @app.get("/static/{name}", include_in_schema=False)
    def static(request: Request, name: str) -> Response:
        return _file(request, name)


def _file(request: Request, name: str) -> Response:
    """Return a file of the page: one of those that lie there, by name."""
    files = {path.name: path for path in PAGE.iterdir() if path.suffix in _TYPES}
    if name not in files:
        raise refusal.Refusal(404, "the page has no such file; open / in place of it")
    data = files[name].read_bytes()
    return _tagged(request, data, hex_digest([data]), _TYPES[files[name].suffix], "no-cache")


def _tagged(request: Request, data: bytes, etag: str, media_type: str, cache: str) -> Response:
    """Return data with an ETag, or only that where whoever asked has them."""
    headers = {"ETag": f'"{etag}"', "Cache-Control": cache}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if f'"{etag}"' in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _add_searches(app: FastAPI, service: Service) -> None:
    @app.post("/search", summary="Search by a text")
    async def search(request: Request, query: messages.Query) -> messages.Answer:
        page = Page(query.k, query.offset, query.contains)
        return await service.search(
            request, service.collection.way(query.way), by_text, query.query, page, query.recall, query.candidates
        )

    @app.post("/search/image", summary="Search by a photo, or by an image of the index")
    async def search_image(
        request: Request,
        photo: Annotated[Optional[UploadFile], File(description="a photo of any common kind")] = None,
        like: Annotated[str, Form(max_length=ID_CHARACTERS, description="in place of it the id of an image")] = "",
        way: Annotated[str, Form(max_length=100, description="a way of GET /about; empty: the first")] = "",
        k: Annotated[int, Form(ge=1, le=MOST_K)] = 24,
        offset: Annotated[int, Form(ge=0, le=MOST_OFFSET)] = 0,
        contains: Annotated[str, Form(max_length=CONTAINS_CHARACTERS)] = "",
    ) -> messages.Answer:
        chosen, page = service.collection.way(way), Page(k, offset, contains)
        if (photo is None) == (not like):
            raise refusal.Refusal(422, "give a photo, or like with the id of an image: one of the two")
        if photo is None:
            return await service.search(request, chosen, by_like, like, page)
        data = await photo.read(PHOTO_BYTES + 1)
        if len(data) > PHOTO_BYTES:
            raise refusal.Refusal(413, f"photo: more than {PHOTO_BYTES:,} bytes; send a smaller one")
        return await service.search(request, chosen, by_photo, data, page)


def _add_images(app: FastAPI, service: Service) -> None:
    @app.get(
        "/images/{id:path}",
        summary="The photo of an image",
        response_class=Response,
        responses={200: {"content": {JPEG: {}}}, 304: {"description": "the photo is as it was"}},
    )
    async def image(request: Request, id: str, way: WayKey = "", size: Literal["full", "small"] = "full") -> Response:
        index = service.collection.way(way).index
        picture = await service.decoding.run(request, service.pictures.picture, index, id, size)
        return _tagged(request, picture.data, picture.etag, JPEG, "private, max-age=60")

    @app.get("/match/{id:path}", summary="Which region each word chose")
    async def matched(request: Request, id: str, query: Words, way: WayKey = "") -> messages.MatchTold:
        index = service.collection.way(way).index
        return messages.MatchTold(**await service.searches.run(request, match, index, id, query))

    @app.get("/attention/{id:path}", summary="The attention over a query's words, or an image's regions")
    async def attended(
        request: Request, id: str, query: Words = "", way: WayKey = "", side: Literal["text", "image"] = "text"
    ) -> messages.AttentionTold:
        index = service.collection.way(way).index
        attend = service.attentions.attention
        return messages.AttentionTold(**await service.searches.run(request, attend, index, id, query, side))


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/about", summary="What is served, and its limits")
    async def about() -> messages.About:
        limits = {
            "query_characters": QUERY_CHARACTERS,
            "photo_bytes": PHOTO_BYTES,
            "k": MOST_K,
            "offset": MOST_OFFSET,
        }
        ways = [_told(way) for way in service.collection.ways.values()]
        return messages.About(title=service.title, ways=ways, limits=limits, examples=service.collection.examples())

    @app.get("/health", summary="Whether it answers")
    async def health() -> messages.Health:
        collection = service.collection
        status = "stopping" if service.stopping else "ok"
        return messages.Health(status=status, items=collection.items, indexes=len(collection.indexes))

    @app.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=MEDIA_TYPE)


def _told(way: Way) -> messages.WayTold:
    index = way.index
    return messages.WayTold(
        way=way.key,
        label=way.label,
        model=index.name,
        mode=way.mode,
        holds=index.holds,
        items=len(index),
        recall=way.takes_recall,
        by_text=index.holds == "images",
        by_photo=index.describes_photos,
        match=can_match(index),
        attention=has_checkpoint(index),
    )
