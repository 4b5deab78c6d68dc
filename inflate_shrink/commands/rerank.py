"""Retrieve with a bi-encoder, rerank its best n with a cross-BERT: recall and latency at each n.

  python tools/rerank.py --retriever runs/demo/B-F --reranker runs/demo/C
  python tools/rerank.py --retriever runs/demo/joint --reranker runs/demo/joint -n 5 10 20 50 --json joint.json

Separate models as in the first line, or one joint model as in the second (Geigle et al. 2022,
"Retrieve Fast, Rerank Smart"). n = 0, always shown, is the retriever alone. tools/eval.py
--images measures the cross-BERT alone, on a subset.
"""

from ..atomic import write_json
from ..cli import add_any_extractor, run_tool, tool_parser
from ..terminal import say


def main(argv):
    """Run tools/rerank.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    parser.add_argument("--retriever", required=True, metavar="DIR", help="checkpoint or run directory of a bi-encoder")
    parser.add_argument(
        "--reranker", required=True, metavar="DIR", help="checkpoint or run directory of a cross-BERT or a joint model"
    )
    parser.add_argument("--data", metavar="DIR", help="data set (default: the retriever's data.dir)")
    parser.add_argument("--split", metavar="NAME", help="split (default: the retriever's data.test_split)")
    parser.add_argument(
        "--images", type=int, default=0, metavar="N", help="only the first N images of the split (default: all)"
    )
    parser.add_argument("-n", type=int, nargs="+", default=[20], metavar="N", help="candidates reranked (default: 20)")
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    add_any_extractor(parser)
    arguments = parser.parse_args(argv)

    from ..engine.checkpoint import open_checkpoint
    from ..engine.rerank import describe_reranking, rerank_checkpoints

    paths = arguments.retriever, arguments.reranker
    retriever, reranker = (open_checkpoint(path, arguments.any_extractor) for path in paths)
    config = retriever.config.data
    data, split = arguments.data or config.dir, arguments.split or config.test_split
    result = rerank_checkpoints(retriever, reranker, data, split, sorted({0, *arguments.n}), arguments.images)
    say(describe_reranking(result))
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    run_tool(main)
