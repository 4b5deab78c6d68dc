"""Export a checkpoint: its encoder of texts, or of images, as a graph for search, or all of it as a folder for a model hub.

  python tools/export.py --checkpoint runs/demo/B --out encoders/B
  python tools/export.py --checkpoint runs/demo/B --out encoders/B --onnx
  python tools/export.py --checkpoint runs/demo/B --out encoders/B-images --side image
  python tools/export.py --checkpoint runs/demo/I-B --hub hub/I-B --license apache-2.0

Paddle Inference runs a graph without the model's code; --onnx adds the same for onnxruntime (this needs Paddle 3 and
paddle2onnx). Both are compared with the model before anything is written. --hub writes what can be uploaded as it is:
weights, config, vocabulary, both encoders, and a card with the recalls that the run recorded; it is a checkpoint too.
"""

from ..cli import run_tool, tool_parser
from ..errors import InputError
from ..terminal import say


def main(argv):
    """Export a checkpoint's encoder as ``argv`` says; raises InputError."""
    parser = tool_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="checkpoint or run directory")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--out", metavar="DIR", help="directory of the new encoder")
    place.add_argument("--hub", metavar="DIR", help="folder of the whole model, to be uploaded or handed over")
    parser.add_argument("--side", choices=("text", "image"), help="what the encoder encodes (default: text)")
    parser.add_argument("--license", metavar="NAME", help="of the weights, for the card of --hub (default: unknown)")
    parser.add_argument("--onnx", action="store_true", help="also write an ONNX file")
    arguments = parser.parse_args(argv)
    for name, other in (("side", "hub"), ("license", "out")):
        if getattr(arguments, name) and getattr(arguments, other):
            raise InputError(f"--{name} has no effect with --{other}; leave it out")

    from ..engine.checkpoint import open_checkpoint

    if arguments.hub:
        from ..report.hub import UNKNOWN, export_hub

        checkpoint = open_checkpoint(arguments.checkpoint)
        measured = export_hub(checkpoint, arguments.hub, arguments.license or UNKNOWN, arguments.onnx)
        splits = ", ".join(f"{each.split} ({each.values.get('protocol', 'full')})" for each in measured)
        say(f"{arguments.hub}: {checkpoint.config.name}, recalls of {splits or 'no split: none is recorded'}")
        if not arguments.license:
            say(f"{arguments.hub}/README.md says license: {UNKNOWN}; choose one there, or with --license")
        return

    from ..search.encoder.export import export_encoder

    checkpoint, side = open_checkpoint(arguments.checkpoint), arguments.side or "text"
    meta = export_encoder(checkpoint, arguments.out, side, arguments.onnx)
    graphs, greatest = " and ".join(meta["difference"]), max(meta["difference"].values())
    encoder = f"{meta['side']} encoder, {meta['dim']} dimensions, weights {meta['model']['fingerprint']}"
    say(f"{arguments.out}: {encoder}; {graphs} within {greatest:.0e} of the model")


if __name__ == "__main__":
    run_tool(main)
