"""Evaluate a checkpoint: text-to-image and image-to-text R@1/5/10, median rank, rsum.

  python tools/eval.py -c configs/demo/I-B-F.yaml
  python tools/eval.py --checkpoint runs/demo/B --data data/demo --split test --json B.json
  python tools/eval.py --checkpoint runs/demo/B --fragments 8
  python tools/eval.py --checkpoint runs/demo/C --images 100
  python tools/eval.py --checkpoint runs/demo/I --blocks --split train --images 1000
  python tools/eval.py --checkpoint runs/demo/B --fitted 128

Protocols: full, all images of the split at once; first1k, its first 1,000 images (the
paper's MSCOCO1K); fold5, the mean over consecutive thousands (the usual MSCOCO 1K). A
cross-BERT scores every pair: measure it on a subset, and what all would cost is printed.
--fitted shrinks a model to one vector a side without training, and shows what any such vectors could reach.
--blocks tells where a score comes from: words, padding and codes against regions and codes.
"""

from ..atomic import write_json
from ..cli import add_any_extractor, add_config_options, run_tool, tool_parser
from ..config import load_config
from ..errors import InputError
from ..metrics import PROTOCOLS
from ..terminal import say


def main(argv):
    """Run tools/eval.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    add_config_options(parser, required=False)
    parser.add_argument("--checkpoint", metavar="DIR", help="checkpoint or run directory (default: run.dir of -c)")
    parser.add_argument("--data", metavar="DIR", help="data set (default: the checkpoint's data.dir)")
    parser.add_argument("--split", metavar="NAME", help="split (default: the checkpoint's data.test_split)")
    protocol = "how images are counted, see above (default: the first of data.protocols; full with --images or --data)"
    parser.add_argument("--protocol", choices=PROTOCOLS, help=protocol)
    parser.add_argument(
        "--images",
        type=int,
        default=0,
        metavar="N",
        help="only the first N images of the split, under protocol full (default: all)",
    )
    parser.add_argument("--cross", action="store_true", help="score by the cross-BERT of a joint model")
    parser.add_argument(
        "--fragments", type=int, metavar="L", help="score only the first L fragments of each side (Table 6)"
    )
    parser.add_argument(
        "--blocks", action="store_true", help="split the score into words, padding and codes, regions and codes"
    )
    parser.add_argument(
        "--fitted", type=int, metavar="DIM", help="one vector of DIM numbers a side, fitted to the exact scores"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    add_any_extractor(parser)
    arguments = parser.parse_args(argv)
    if not (arguments.config or arguments.checkpoint):
        raise InputError("give -c CONFIG or --checkpoint DIR")
    if arguments.fragments is not None and arguments.fragments < 1:
        raise InputError(f"--fragments must be 1 or more, found {arguments.fragments}")
    alone = "--blocks" if arguments.blocks else "--fitted" if arguments.fitted is not None else ""
    with_fitted = arguments.fitted is not None and (arguments.blocks or arguments.fragments)
    if alone and (arguments.protocol or arguments.cross or with_fitted):
        others = {"--protocol": arguments.protocol, "--cross": arguments.cross, "--fragments": arguments.fragments}
        unwanted = next((name for name, given in others.items() if given), "--fitted")
        raise InputError(
            f"{alone} is measured of a bi-encoder on all images, or the first --images N of them; leave out {unwanted}"
        )

    config = load_config(arguments.config, arguments.override) if arguments.config else None
    from ..engine.blocks import describe_blocks, evaluate_blocks
    from ..engine.checkpoint import open_checkpoint
    from ..engine.evaluate import describe, evaluate_checkpoint
    from ..engine.shrink_fitted import describe_fitted, evaluate_fitted
    from ..fitted import FitSettings

    insisted = arguments.any_extractor or bool(config and config.data.any_extractor)
    checkpoint = open_checkpoint(arguments.checkpoint or config.run.dir, insisted)
    source = config or checkpoint.config
    data_dir, split = arguments.data or source.data.dir, arguments.split or source.data.test_split
    fragments = arguments.fragments or "all"
    if arguments.blocks:
        result = evaluate_blocks(checkpoint, data_dir, split, fragments, arguments.images)
        say(describe_blocks(result))
    elif arguments.fitted is not None:
        result = evaluate_fitted(checkpoint, data_dir, split, FitSettings(rank=arguments.fitted), arguments.images)
        say(describe_fitted(result))
    else:
        protocol = "full" if arguments.images or arguments.data else source.data.protocols[0]
        result = evaluate_checkpoint(
            checkpoint,
            data_dir,
            split,
            arguments.protocol or protocol,
            fragments,
            arguments.images,
            arguments.cross,
        )
        say(describe(result))
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    run_tool(main)
