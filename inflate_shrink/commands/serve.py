"""Serve a page to search and look at photos, and the same over HTTP for programs.

  python tools/serve.py --index indexes/demo --open
  python tools/serve.py --index indexes/I-B indexes/I indexes/captions --port 8080

It listens on this machine alone unless --host says otherwise; docs/serve.md tells more. Ctrl-C or SIGTERM ends it when
what is being answered has been.
"""

import sys
import webbrowser
from dataclasses import replace
from threading import Thread

from ..cli import at_once, run_tool, tool_parser
from ..cpu import prepare_for_paddle
from ..errors import InputError
from ..terminal import say


def main(argv=None):
    """Serve indexes until a signal comes."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add(
        "--index",
        nargs="+",
        required=True,
        metavar="DIR",
        help="indexes, of images or captions; the first is shown first",
    )
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0: all of this machine (default: %(default)s)")
    add("--port", type=int, default=8000, help="0: any free one (default: %(default)s)")
    add("--allow-host", nargs="+", default=[], metavar="NAME", help="names that requests may be for, such as a proxy's")
    add("--open", action="store_true", help="open the page in a browser")
    add(
        "--data",
        default="",
        metavar="DIR",
        help="the data set of the indexes, where it has moved: for boxes and examples",
    )
    add("--photos-root", default="", metavar="DIR", help="the folder of the photos, where it has moved")
    add("--title", default="", help="of the page (default: the indexes' names)")
    add("--threads", type=at_once, default=0, metavar="N", help="cores for a search; 0: all (default: %(default)s)")
    add("--backend", choices=("paddle", "onnx"), default="", help="what encodes queries, as of tools/search.py")
    add("--concurrent", type=at_once, default=8, metavar="N", help="searches at once (default: %(default)s)")
    add(
        "--waiting",
        type=int,
        default=256,
        metavar="N",
        help="that wait; more are told to come back (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    try:
        from ..serve.app import build_app
        from ..serve.limits import Load
        from ..serve.server import is_loopback, open_socket, serve
    except ImportError as error:
        raise InputError(f"serving needs more packages ({error}): pip install inflate-shrink[serve]") from None
    from ..serve.attentions import prepare
    from ..serve.collection import open_collection

    if arguments.concurrent < 1 or arguments.waiting < 0:
        raise InputError("--concurrent takes 1 or more, --waiting 0 or more")
    prepare_for_paddle()
    # First, since opening takes seconds: a port in use is said at once.
    listening = open_socket(arguments.host, arguments.port)
    hosts = frozenset(
        {"localhost", "127.0.0.1", "[::1]", arguments.host.lower(), *map(str.lower, arguments.allow_host)}
    )
    if not is_loopback(arguments.host) and not arguments.allow_host:
        hosts = None
    collection = open_collection(
        arguments.index, arguments.data, arguments.photos_root, arguments.threads, arguments.backend
    )
    prepare(collection)
    collection.warm_up()
    load = replace(Load(), concurrent=arguments.concurrent, waiting=arguments.waiting)
    app = build_app(collection, arguments.title, load, hosts)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{host}:{listening.getsockname()[1]}"

    def started():
        say(f"{address} serves {collection.items:,} items of {', '.join(arguments.index)}; Ctrl-C ends it")
        sys.stdout.flush()
        if arguments.open:
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # some wait until it is closed

    serve(app, listening, load.connections, started)
    say("ended")


if __name__ == "__main__":
    run_tool(main)
