"""Convert a checkpoint of the authors' released PyTorch code. PyTorch is not needed.

  python tools/convert_released.py model_best.pth.tar --mode shrinktofast --vocab vocab.txt --out runs/released/I-B-F
  python tools/eval.py --checkpoint runs/released/I-B-F --data data/coco_released --protocol first1k

Modes: base, fast, inflate, shrinktobase (teacher I, student B), shrinktofast (teacher B,
student F). The last two hold two models: the student is converted, or with
--part teacher the teacher. A file does not say its mode; it is the one it was trained with.

The file holds no vocabulary, and without one a checkpoint encodes ids but no captions.
It was trained with that of bert-base-uncased: vocab.txt, 30522 lines. Nor does it hold the
tokens around a caption: tools/prepare_data.py --format released prints those of a caption file.

Prints, for each parameter of the file, where it went or why it is not used.
"""

from pathlib import Path

from ..atomic import require_new
from ..cli import run_tool, tool_parser
from ..data.text import CaptionTokenizer
from ..errors import InputError
from ..terminal import say


def main(argv):
    """Run tools/convert_released.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="released file, .pth.tar")
    parser.add_argument("--mode", required=True, help="what it was trained as, see above")
    parser.add_argument("--out", required=True, metavar="DIR", help="checkpoint directory to write; must not exist")
    parser.add_argument("--vocab", metavar="FILE", help="vocab.txt of bert-base-uncased")
    parser.add_argument("--part", default="student", help="student (default) or teacher")
    parser.add_argument("--layers", type=int, default=3, help="Transformer layers that run (default: 3)")
    parser.add_argument(
        "--first-token", default="[UNK]", metavar="TOKEN", help="begins every caption; '': none (default: %(default)s)"
    )
    parser.add_argument("--last-token", default="", metavar="TOKEN", help="ends every caption (default: none)")
    arguments = parser.parse_args(argv)
    out = Path(arguments.out)
    require_new(out)
    ends = arguments.first_token, arguments.last_token
    tokenizer = CaptionTokenizer(arguments.vocab, 32, *ends) if arguments.vocab else None

    from ..engine.checkpoint import write_checkpoint
    from ..released.convert import convert

    config, model, report = convert(arguments.checkpoint, arguments.mode, arguments.part, arguments.layers, *ends)
    if tokenizer and tokenizer.vocab_size != model.vocab_size:
        raise InputError(
            f"{arguments.vocab}: has {tokenizer.vocab_size} lines, but the word embeddings of the checkpoint are"
            f" {model.vocab_size}; give --vocab the file it was trained with"
        )
    state = {"converted_from": Path(arguments.checkpoint).name}
    write_checkpoint(out, model, config, tokenizer and tokenizer.vocabulary, state)
    say("\n".join(report))
    around = f"first token {config.data.first_token or 'none'}, last token {config.data.last_token or 'none'}"
    shape = f"{config.model.layers} layers, codes {config.model.codes}, fragments {config.model.fragments}"
    say(f"{out}: {config.name}, {shape}, {around}")


if __name__ == "__main__":
    run_tool(main)
