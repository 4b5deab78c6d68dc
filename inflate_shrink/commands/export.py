"""Export a checkpoint's encoder of texts, or of images, for search: a graph that runs without the model's code.

  python tools/export.py --checkpoint runs/demo/B --out encoders/B
  python tools/export.py --checkpoint runs/demo/B --out encoders/B --onnx
  python tools/export.py --checkpoint runs/demo/B --out encoders/B-images --side image

Paddle Inference runs the graph; --onnx adds the same for onnxruntime (this needs Paddle 3 and
paddle2onnx). Both are compared with the model before anything is written.
"""

from ..cli import run_tool, tool_parser
from ..terminal import say


def main(argv):
    """Export a checkpoint's encoder as ``argv`` says; raises InputError."""
    parser = tool_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="checkpoint or run directory")
    parser.add_argument("--out", required=True, metavar="DIR", help="directory of the new encoder")
    parser.add_argument(
        "--side", choices=("text", "image"), default="text", help="what it encodes (default: %(default)s)"
    )
    parser.add_argument("--onnx", action="store_true", help="also write an ONNX file")
    arguments = parser.parse_args(argv)

    from ..engine.checkpoint import open_checkpoint
    from ..search.encoder.export import export_encoder

    meta = export_encoder(open_checkpoint(arguments.checkpoint), arguments.out, arguments.side, arguments.onnx)
    graphs, greatest = " and ".join(meta["difference"]), max(meta["difference"].values())
    encoder = f"{meta['side']} encoder, {meta['dim']} dimensions, weights {meta['model']['fingerprint']}"
    say(f"{arguments.out}: {encoder}; {graphs} within {greatest:.0e} of the model")


if __name__ == "__main__":
    run_tool(main)
