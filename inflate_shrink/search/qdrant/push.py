"""Make a collection of Qdrant hold what an index holds: only what is new or changed is sent, so that a push that broke
off goes on.
"""

from __future__ import annotations

from typing import NamedTuple

from tqdm import tqdm

from ...errors import InputError
from ..index import Index
from .collection import QdrantCollection
from .content import blocks, fingerprint, has_one_fragment, pushed_fields, state


class Pushed(NamedTuple):
    """Numbers of items."""

    new: int
    changed: int
    unchanged: int
    deleted: int


def push_index(
    index: Index,
    collection: QdrantCollection,
    source: str = "",
    shards: int = 1,
    replicas: int = 1,
    float16: bool = False,
) -> Pushed:
    """Send the live items of an index to a collection, which is made if there is none.

    Several indexes of one model may share a collection: a push deletes only what an earlier push from the same
    ``source`` brought and the index holds no longer. An id that two sources have is that of the last push.

    Args:
        index: of images; or of captions with one fragment each (F).
        source: name of this index in the collection; "": the name of its directory.
        shards, replicas, float16: of a new collection, see :meth:`.qdrant.QdrantCollection.create`.

    Raises:
        InputError: the collection is of another model or other dimensions, or not ours; the index is empty, or has
            captions of several fragments; Qdrant does not answer or refuses.
    """
    one_fragment = has_one_fragment(index)
    if index.settings.holds == "captions" and not one_fragment:
        raise InputError(
            f"{index.directory}: holds captions of several fragments, "
            "and Qdrant's MaxSim sums over the query's fragments, not the caption's; "
            "search it with tools/search.py, or push an index of a model of one fragment"
        )
    if collection.exists():
        collection.require_model(index.settings)
        if collection.layout()[1] and not one_fragment:
            raise InputError(
                f"{collection.to}: collection {collection.name} holds one fragment an item, {index.directory} more; "
                "choose another collection"
            )
    elif len(index):
        collection.create(
            pushed_fields(index.settings),
            index.settings.holds,
            fingerprint(index.settings),
            one_fragment,
            shards,
            replicas,
            float16,
        )
    else:
        raise InputError(f"{index.directory}: is empty; there is nothing to push")
    source = source or index.directory.resolve().name
    if collection.state(source) == state(index) and collection.count(source) == len(index):
        return Pushed(0, 0, len(index), 0)
    collection.set_state(source, "", index.commit)
    new = changed = 0
    with tqdm(
        total=len(index), desc="push", unit=index.settings.holds[:-1], disable=None, dynamic_ncols=True, leave=False
    ) as bar:
        for items in blocks(index):
            known = collection.known([item.id for item in items])
            to_send = [item for item in items if known.get(item.id) != (source, item.digest)]
            bar.update(len(items) - len(to_send))
            for sent in collection.upsert(to_send, source):
                bar.update(sent)
            replaced = sum(item.id in known for item in to_send)
            new, changed = new + len(to_send) - replaced, changed + replaced
    deleted = collection.delete_unless(source, index.contains)
    collection.set_state(source, state(index), index.commit)
    return Pushed(new, changed, len(index) - new - changed, deleted)
