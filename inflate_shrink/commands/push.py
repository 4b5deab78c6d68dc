"""Push an index of fragments to Qdrant, embedded in a directory or on a server or cluster: search past one machine.

  python tools/push.py --index indexes/mine --to qdrant/mine
  python tools/push.py --index indexes/mine --to http://qdrant:6333 --collection photos --shards 6 --replicas 2

Only what is new or changed is sent, and what the index deleted is deleted there. A push that was
stopped goes on when it is called again. Embedded Qdrant is for trying it out: it holds everything
in memory and scans it. docs/scale.md is the guide; inflate_shrink.search.qdrant the API to search.
"""

import os

from ..cli import run_tool, tool_parser
from ..terminal import say

EMBEDDED = 20_000  # items for which Qdrant recommends it


def main(argv):
    """Push an index to Qdrant as ``argv`` says; raises InputError."""
    parser = tool_parser(__doc__)
    parser.add_argument("--index", required=True, metavar="DIR", help="the index, made by tools/index.py build")
    parser.add_argument(
        "--to",
        required=True,
        metavar="PLACE",
        help="directory of embedded Qdrant, made if missing; or http://HOST:6333",
    )
    parser.add_argument("--collection", metavar="NAME", help="collection (default: the name of DIR)")
    parser.add_argument(
        "--source",
        default="",
        metavar="NAME",
        help="name of this index in a collection that several indexes share (default: the name of DIR)",
    )
    parser.add_argument(
        "--shards",
        type=int,
        default=1,
        metavar="N",
        help="shards of a new collection on a cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--replicas",
        type=int,
        default=1,
        metavar="N",
        help="copies of each shard of a new collection (default: %(default)s)",
    )
    parser.add_argument(
        "--float16",
        action="store_true",
        help="a new collection keeps half floats: half the bytes, scores to three digits",
    )
    parser.add_argument("--replace", action="store_true", help="first delete the collection, if there is one")
    parser.add_argument("--grpc", action="store_true", help="send by gRPC, port 6334, instead of JSON")
    parser.add_argument(
        "--key",
        default="QDRANT_API_KEY",
        metavar="VARIABLE",
        help="environment variable with the server's API key (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)

    from ..search.index import open_index
    from ..search.qdrant import QdrantCollection, push_index

    index = open_index(arguments.index)
    name = index.directory.resolve().name
    with QdrantCollection(
        arguments.to, arguments.collection or name, True, os.environ.get(arguments.key), arguments.grpc
    ) as collection:
        if collection.embedded and len(index) > EMBEDDED:
            say(
                f"{len(index)} {index.settings.holds} are many for embedded Qdrant; beyond {EMBEDDED} a server is meant"
            )
        if arguments.replace:
            collection.drop()
        pushed = push_index(
            index, collection, arguments.source, arguments.shards, arguments.replicas, arguments.float16
        )
        counts = ", ".join(f"{number} {what}" for what, number in pushed._asdict().items())
        say(
            f"{collection.to}: collection {collection.name} holds {collection.count()} {index.settings.holds}: {counts}"
        )


if __name__ == "__main__":
    run_tool(main)
