"""An index's content in Qdrant: embedded in this process, or a server or a cluster by URL.

A collection has the vectors ``fragments``, a multivector compared by MaxSim that is scanned, never approximated, and
``vector``, F's, with an HNSW graph. A cascade is one request: Qdrant takes the best by ``vector`` and scores them by
MaxSim. A point's id is the UUID of the item's id; its payload has the item's id and file, the source it came from and a
digest. The distance is Dot: the vectors of an index are of length one already, but for the rounding of int8 and bf16,
which Cosine would take away, so that scores would no longer be those of the index.
"""

from __future__ import annotations

import sqlite3
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..index import IndexSettings
from ..ranking import Hit
from ..searcher import CANDIDATES, FRAGMENTS, VECTOR
from .content import Item, fingerprint

_NAMESPACE = uuid.UUID("454125cf-0745-5e4b-b00f-ccc2c0b54166")  # our ids are made in it, for good
_NUMBERS = 1 << 18  # floats in a request: some MB as JSON; servers take 32 MB
_PAGE = 10_000  # points whose ids are read at once
_FORMAT = 1


class QdrantCollection:
    """A collection of Qdrant. A context manager.

    Args:
        to: ``http://host:6333``; a directory, for Qdrant embedded in this process, which one process at a time may
            open, and which holds everything in memory; or ``:memory:``.
        collection: its name.
        create: make the directory if there is none.
        api_key: of the server.
        grpc: send by gRPC (port 6334) instead of JSON.
        timeout: seconds to wait for an answer.

    Raises:
        InputError: the client is not installed; the directory is missing, something else, or in use.
    """

    def __init__(
        self,
        to: str,
        collection: str,
        create: bool = False,
        api_key: str | None = None,
        grpc: bool = False,
        timeout: int = 60,
    ):
        self.to, self.name = str(to), collection
        self.embedded = "://" not in self.to
        self._layout: tuple[dict[str, int], bool] | None = None
        try:
            import qdrant_client
        except ModuleNotFoundError:
            raise InputError("Qdrant's client is not installed: pip install inflate-shrink[qdrant]") from None
        self._models = qdrant_client.models
        if self.embedded and self.to != ":memory:":
            self._check_directory(Path(self.to), create)
        with self._one_line(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.to == ":memory:":
                self._client = qdrant_client.QdrantClient(":memory:")
            elif self.embedded:
                self._client = qdrant_client.QdrantClient(path=self.to)
            else:
                self._client = qdrant_client.QdrantClient(
                    url=self.to, api_key=api_key, prefer_grpc=grpc, timeout=timeout, check_compatibility=False
                )

    def __enter__(self) -> QdrantCollection:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Close the client; the directory of embedded Qdrant is then free for others."""
        self._client.close()

    def exists(self) -> bool:
        """Return whether Qdrant has this collection; raises InputError if it does not answer."""
        with self._one_line():
            return self._client.collection_exists(self.name)

    def create(
        self,
        fields: dict[str, int],
        items: str,
        model: str,
        one_fragment: bool,
        shards: int = 1,
        replicas: int = 1,
        float16: bool = False,
    ) -> None:
        """Make the collection.

        Args:
            fields: dimensions of FRAGMENTS, and of VECTOR if there is one.
            items, model: what it holds, and the fingerprint of where that came from.
            one_fragment: F: fragments are plain vectors with an HNSW graph.
            shards, replicas, float16: of a server; embedded Qdrant has one of each, in float32.
        """
        m = self._models
        datatype = m.Datatype.FLOAT16 if float16 else m.Datatype.FLOAT32
        max_sim = {
            "multivector_config": m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
            "hnsw_config": m.HnswConfigDiff(m=0),  # builds no graph
        }
        vectors = {
            name: m.VectorParams(
                size=dim,
                distance=m.Distance.DOT,
                datatype=datatype,
                on_disk=name == FRAGMENTS and not one_fragment,
                **(max_sim if name == FRAGMENTS and not one_fragment else {}),
            )  # fmt: skip
            for name, dim in fields.items()
        }
        about = {"inflate_shrink": _FORMAT, "items": items, "fingerprint": model, "fields": fields}
        with self._one_line():
            self._client.create_collection(
                self.name,
                vectors,
                shard_number=shards,
                replication_factor=replicas,
                on_disk_payload=True,
                metadata=about,
            )
            if not self.embedded:
                self._client.create_payload_index(self.name, "source", m.PayloadSchemaType.KEYWORD)

    def drop(self) -> None:
        """Delete the collection, if there is one."""
        self._layout = None
        with self._one_line():
            self._client.delete_collection(self.name)

    def about(self) -> dict:
        """Read what the collection says of itself; raises InputError if there is none, or it is not ours."""
        if not self.exists():
            raise InputError(f"{self.to}: has no collection {self.name}; tools/push.py makes it")
        with self._one_line():
            about = self._client.get_collection(self.name).config.metadata or {}
        if about.get("inflate_shrink") != _FORMAT:
            raise InputError(
                f"{self.to}: collection {self.name} is not of tools/push.py, or of another version; choose another name"
            )
        return about

    def layout(self) -> tuple[dict[str, int], bool]:
        """Return the dimensions of the fields, and whether an item has one fragment.

        Qdrant is asked once; raises InputError as :meth:`about`.
        """
        if self._layout is None:
            fields = self.about()["fields"]
            with self._one_line():
                vectors = self._client.get_collection(self.name).config.params.vectors
            self._layout = fields, vectors[FRAGMENTS].multivector_config is None
        return self._layout

    def require_model(self, settings: IndexSettings) -> None:
        """Raise InputError if the collection is not of the model, the dimensions and the side of an index."""
        about = self.about()
        if about["fingerprint"] != fingerprint(settings):
            held = ", ".join(f"{name} of {dim} dimensions" for name, dim in about["fields"].items())
            asked = ", ".join(
                f"{name} of {kind.dim}" for name, kind in settings.fields.items() if name in (FRAGMENTS, VECTOR)
            )
            raise InputError(
                f"{self.to}: collection {self.name} was pushed from an index of another model"
                f" ({about['items']}, {held}; the index has {settings.holds}, {asked}); choose another collection"
            )

    def state(self, source: str) -> str:
        """Return the state of the last push from a source that came to its end; "" if there was none, or a later one
        did not.
        """
        return self.about().get(f"source {source}", {}).get("state", "")

    def set_state(self, source: str, state: str, commit: int) -> None:
        """Keep the state of a source's push and the commit it is of; "": a push is under way."""
        with self._one_line():
            self._client.update_collection(self.name, metadata={f"source {source}": {"state": state, "commit": commit}})

    def count(self, source: str = "") -> int:
        """Count the points of a source; "": all."""
        with self._one_line():
            return self._client.count(self.name, count_filter=self._of(source) if source else None, exact=True).count

    def known(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return source and digest of those of the items that are there."""
        with self._one_line():
            points = self._client.retrieve(self.name, _point_ids(ids), with_payload=True, with_vectors=False)
        return {point.payload["id"]: (point.payload["source"], point.payload["digest"]) for point in points}

    def upsert(self, items: Sequence[Item], source: str) -> Iterator[int]:
        """Send items, replacing those with their ids; yields after each request how many were in it."""
        if not items:
            return
        _, one_fragment = self.layout()
        step = max(1, _NUMBERS // max(sum(rows.size for rows in item.vectors.values()) for item in items))
        for begin in range(0, len(items), step):
            part = items[begin : begin + step]
            points = [self._point(item, source, one_fragment) for item in part]
            with self._one_line(), warnings.catch_warnings():
                # Embedded Qdrant warns of its size; tools/push.py says so once.
                warnings.simplefilter("ignore", UserWarning)
                self._client.upsert(self.name, points, wait=True)
            yield len(part)

    def delete_unless(self, source: str, wanted: Callable[[list[str]], np.ndarray]) -> int:
        """Delete the points of a source whose ids are not ``wanted`` (ids -> bool array). Returns how many."""
        unwanted, page = [], None
        while True:
            with self._one_line():
                points, page = self._client.scroll(
                    self.name, self._of(source), limit=_PAGE, offset=page, with_payload=["id"]
                )
            if points:
                ids = [point.payload["id"] for point in points]
                unwanted += [id for id, keep in zip(ids, wanted(ids)) if not keep]
            if page is None:
                break
        for begin in range(0, len(unwanted), _PAGE):
            with self._one_line():
                selector = self._models.PointIdsList(points=_point_ids(unwanted[begin : begin + _PAGE]))
                self._client.delete(self.name, selector, wait=True)
        return len(unwanted)

    def search(
        self,
        query: np.ndarray,
        k: int = 10,
        vector: np.ndarray | None = None,
        candidates: int = CANDIDATES,
        only: Sequence[str] | None = None,
    ) -> list[Hit]:
        """Find the k best items, in one request.

        Args:
            query: (l, d) float32 fragments that count.
            vector: (d,) float32, F's vector of the query: score only the ``candidates`` best by it. None: score all
                (with one fragment an item, those that the HNSW graph finds).
            candidates: at least k are taken.
            only: ids to choose from; those that are not there do not count.

        Raises:
            InputError: no such collection, a query of no fragments or another dimension, a vector where the collection
                has none, k below 1; Qdrant does not answer or refuses.
        """
        fields, one_fragment = self.layout()
        self._check(FRAGMENTS, query, 2, fields)
        if k < 1 or not len(query):
            raise InputError(f"k is {k} and the query has {len(query)} fragments; expected at least 1 of both")
        if only is not None and not len(only):
            return []
        m = self._models
        kept = None if only is None else m.Filter(must=[m.HasIdCondition(has_id=_point_ids(only))])
        prefetch = None
        if vector is not None:
            self._check(VECTOR, vector, 1, fields)
            # The filter is given again: embedded Qdrant of older clients does not pass it on.
            prefetch = m.Prefetch(query=vector.tolist(), using=VECTOR, limit=max(k, candidates), filter=kept)
        with self._one_line():
            asked = query[0] if one_fragment else query
            answer = self._client.query_points(
                self.name,
                asked.tolist(),
                using=FRAGMENTS,
                prefetch=prefetch,
                query_filter=kept,
                limit=k,
                with_payload=["id", "file"],
            )
        return [
            Hit(rank, point.score, point.payload["id"], point.payload["file"])
            for rank, point in enumerate(answer.points, 1)
        ]

    def _check(self, field: str, given: np.ndarray, axes: int, fields: dict[str, int]) -> None:
        if field not in fields:
            raise InputError(f"{self.to}: collection {self.name} has no field {field}; search without it")
        if given.ndim != axes or given.shape[-1] != fields[field]:
            raise InputError(
                f"the query's {field} has the shape {given.shape}, collection {self.name} holds vectors of "
                f"{fields[field]} dimensions;"
                " use the model of the index that was pushed"
            )

    def _point(self, item: Item, source: str, one_fragment: bool):
        vectors = {
            name: (rows[0] if name == VECTOR or one_fragment else rows).tolist() for name, rows in item.vectors.items()
        }
        payload = {"id": item.id, "file": item.file, "source": source, "digest": item.digest}
        return self._models.PointStruct(id=_point_ids([item.id])[0], vector=vectors, payload=payload)

    def _of(self, source: str):
        m = self._models
        return m.Filter(must=[m.FieldCondition(key="source", match=m.MatchValue(value=source))])

    def _check_directory(self, path: Path, create: bool) -> None:
        if not path.exists() and not create:
            raise InputError(f"{path}: no such directory; tools/push.py makes it")
        if path.exists() and (not path.is_dir() or any(path.iterdir()) and not (path / ".lock").is_file()):
            raise InputError(f"{path}: is not a directory of embedded Qdrant; choose a new or empty one")

    @contextmanager
    def _one_line(self):
        """Raise errors of the client as InputError."""
        from grpc import RpcError
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        try:
            yield
        except ResponseHandlingException as error:
            raise InputError(
                f"{self.to}: no answer from Qdrant: {error.source}; is it running, and is this its address?"
            ) from error
        except UnexpectedResponse as error:
            raise InputError(
                f"{self.to}: Qdrant refused: {error.status_code} {error.reason_phrase} {error.content[:300]!r}"
            ) from error
        except RpcError as error:
            raise InputError(f"{self.to}: Qdrant by gRPC: {error.code().name}: {error.details()}") from error
        except OSError as error:
            raise InputError(f"{self.to}: cannot be read or written: {error.strerror or error}") from error
        # Embedded Qdrant raises these: it is in use, the disk is full, or it does not take the name.
        except (RuntimeError, ValueError, sqlite3.Error) as error:
            raise InputError(f"{self.to}: collection {self.name}: {error}") from error


def _point_ids(ids: Sequence[str]) -> list[str]:
    return [str(uuid.uuid5(_NAMESPACE, id)) for id in ids]
