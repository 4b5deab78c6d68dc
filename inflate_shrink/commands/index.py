"""Build search indexes, change them, say what they hold; tools/search.py asks them.

  python tools/index.py build --checkpoint runs/demo/I-B --centroids -1 --data data/demo --split test --out indexes/demo
  python tools/index.py build --checkpoint runs/demo/I-B --first runs/demo/I-B-F --photos --out indexes/demo-first
  python tools/index.py build --clip clip-vit-base-patch32 --images photos --out indexes/photos
  python tools/index.py add indexes/demo --data data/demo --split val
  python tools/index.py delete indexes/demo test-00003 test-00004
  python tools/index.py info indexes/demo --verify

build: the fragments of every image, or caption, with the encoder of queries; of a VisualSparta checkpoint
an inverted index, which is not changed afterwards. docs/search.md tells what to choose. With --clip, of photos
without captions and without a model of one's own (docs/clip.md).
"""

from ..cli import add_any_extractor, add_command, run_tool, tool_parser
from ..errors import InputError
from ..kernel import PRECISIONS
from ..search.describe import describe_index
from ..search.encoders import CLIP
from ..search.faiss_build import build_faiss
from ..search.faiss_vectors import KINDS, verify_faiss
from ..search.id_list import read_ids
from ..search.index import IndexWriter, open_index, verify_index
from ..search.inverted.index import InvertedIndex, is_inverted
from ..terminal import say


def main(argv):
    """Run the subcommand that ``argv`` names; raises InputError."""
    parser = tool_parser(__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_build, _add_add, _add_delete, _add_compact, _add_faiss, _add_onnx, _add_info):
        add(commands)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)


def _add_build(commands):
    parser = add_command(commands, "build", "index a data set with a checkpoint", _build)
    parser.add_argument("--checkpoint", default="", metavar="DIR", help="checkpoint or run directory of a bi-encoder")
    parser.add_argument(
        "--first", metavar="DIR", help="an F for the first stage of a cascade, such as I-B-F beside I-B"
    )
    parser.add_argument(
        "--centroids",
        "--codes",
        type=int,
        default=0,
        metavar="N",
        help="without an F: number of centroids for the first stage, -1: as many as suit (default: none)",
    )
    parser.add_argument(
        "--stages",
        type=int,
        nargs="?",
        choices=(8, 4),
        const=8,
        default=0,
        metavar="BITS",
        help="without an F: fit the first stage of an index of images to captions, a vector an image of 8 bits a number "
        "or 4, and measure how many candidates it needs",
    )
    _add_data_options(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="the new index")
    parser.add_argument(
        "--items",
        choices=("images", "captions"),
        default="images",
        help="images, to be found by text, or captions, by image (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="int8",
        help="how the fragments are kept on disk (default: %(default)s)",
    )
    parser.add_argument(
        "--onnx", action="store_true", help="also export the encoders for onnxruntime, which start faster"
    )
    photos = "keep the encoder of images too, so that images are also found by a photo (search.py --image)"
    parser.add_argument("--photos", action="store_true", help=photos)
    clip = parser.add_argument_group("photos without captions, in place of --checkpoint and --data")
    clip.add_argument("--clip", default="", metavar="DIR", help="a CLIP exported to ONNX as on the Hugging Face hub")
    _add_images(clip)
    clip.add_argument(
        "--tokens",
        default="",
        metavar="OUTPUT",
        help="late interaction over this output of both networks, a vector for each token in their one space "
        "(default: one vector, text_embeds and image_embeds)",
    )
    inverted = parser.add_argument_group("options of an inverted index")
    inverted.add_argument(
        "--top",
        type=int,
        default=0,
        metavar="N",
        help="keep an image's N best pieces only: smaller, faster (default: all above 0)",
    )
    inverted.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="how the scores are kept on disk (default: %(default)s)",
    )


def _add_add(commands):
    parser = add_command(commands, "add", "add what is not in an index yet", _add)
    parser.add_argument("index", metavar="DIR")
    parser.add_argument(
        "--checkpoint", metavar="DIR", help="the checkpoint that the index was built with (default: where it was then)"
    )
    parser.add_argument(
        "--first", metavar="DIR", help="the F that the index was built with (default: where it was then)"
    )
    _add_data_options(parser)
    _add_images(parser.add_argument_group("photos, to an index of a CLIP"))
    parser.add_argument("--replace", action="store_true", help="encode those anew that are in the index")


def _add_delete(commands):
    parser = add_command(commands, "delete", "take items out of an index", _delete)
    parser.add_argument("index", metavar="DIR")
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--ids", dest="list", metavar="FILE", help="a list of ids, one a line")


def _add_compact(commands):
    parser = add_command(commands, "compact", "copy what is live into one segment and free the rest", _compact)
    parser.add_argument("index", metavar="DIR")


def _add_faiss(commands):
    parser = add_command(commands, "faiss", "prepare the vectors of an F for faiss; again after each change", _faiss)
    parser.add_argument("index", metavar="DIR")
    parser.add_argument(
        "--kind",
        choices=("auto", *KINDS),
        default="auto",
        help="how faiss finds them; scan: our own kernel, without faiss (default: by size)",
    )


def _add_onnx(commands):
    parser = add_command(
        commands, "onnx", "let the encoders of an index run by onnxruntime, which starts faster", _onnx
    )
    parser.add_argument("index", metavar="DIR", help="the index; it needs Paddle 3 and paddle2onnx")


def _add_info(commands):
    parser = add_command(commands, "info", "what an index holds and what it was made of", _info)
    parser.add_argument("index", metavar="DIR")
    parser.add_argument("--verify", action="store_true", help="read all files and compare their checksums")


def _add_data_options(parser):
    parser.add_argument("--data", metavar="DIR", help="data set (default: the checkpoint's data.dir)")
    parser.add_argument("--split", default="", metavar="NAME", help="only this split (default: all)")
    add_any_extractor(parser)


def _add_images(parser):
    parser.add_argument("--images", default="", metavar="DIR", help="photos: a folder with its subfolders, or a .zip")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that is no photo or is damaged")


def _build(arguments):
    if arguments.clip or arguments.images or arguments.tokens:
        _build_clip(arguments)
        return
    if not arguments.checkpoint:
        raise InputError("give --checkpoint DIR, or --clip DIR with --images DIR")
    from ..engine.checkpoint import open_checkpoint

    checkpoint = open_checkpoint(arguments.checkpoint, arguments.any_extractor)
    data = arguments.data or checkpoint.config.data.dir
    if checkpoint.config.model.scoring == "visual_sparta":
        if arguments.photos:
            raise InputError(f"{arguments.checkpoint}: an inverted index takes texts only; leave out --photos")
        from ..search.inverted.build import build_inverted_index

        build_inverted_index(checkpoint, data, arguments.split, arguments.out, arguments.top, arguments.dtype)
        say(InvertedIndex(arguments.out).describe())
        return
    from ..search.build import BuildSettings, Models, build_index

    models = Models(checkpoint, open_checkpoint(arguments.first) if arguments.first else None)
    settings = BuildSettings(
        arguments.items, arguments.precision, arguments.centroids, arguments.onnx, arguments.photos, arguments.stages
    )
    build_index(arguments.out, models, data, arguments.split, settings)
    say(describe_index(open_index(arguments.out)))


def _build_clip(arguments):
    from ..extract.photos import PhotoFolder
    from ..search.clip.build import ClipSettings, build_clip_index

    if not (arguments.clip and arguments.images):
        raise InputError("an index of photos without captions takes both --clip DIR and --images DIR")
    names = ("checkpoint", "first", "centroids", "stages", "data", "split", "onnx", "photos", "any_extractor")
    for name in names:
        if getattr(arguments, name):
            raise InputError(f"--{name.replace('_', '-')} is not for an index of a CLIP; leave it out")
    if arguments.items != "images":
        raise InputError("a CLIP indexes photos, which have no captions; leave out --items captions")
    settings = ClipSettings(arguments.precision, arguments.tokens)
    build_clip_index(arguments.out, arguments.clip, PhotoFolder(arguments.images), settings, bad=_bad(arguments))
    say(describe_index(open_index(arguments.out)))


def _bad(arguments):
    from ..data.bad_records import BadRecords

    return BadRecords(skip=not arguments.strict, hint="without --strict such files are left out")


def _add_photos(arguments):
    from ..extract.photos import PhotoFolder
    from ..search.clip.build import add_photos

    for name in ("checkpoint", "first", "data", "split", "any_extractor"):
        if getattr(arguments, name):
            raise InputError(f"--{name.replace('_', '-')} is for data sets, and --images for photos; leave one out")
    folder = PhotoFolder(arguments.images)
    added = add_photos(arguments.index, folder, arguments.replace, bad=_bad(arguments))
    _report(arguments.index, "added", added)


def _add(arguments):
    if arguments.images:
        _add_photos(arguments)
        return
    index = open_index(arguments.index)
    if CLIP in index.origin:
        raise InputError(f"{arguments.index}: an index of photos by a CLIP; give --images DIR, a folder of photos")
    from ..engine.checkpoint import open_checkpoint
    from ..search.build import Models, add_to_index

    given = {"model": arguments.checkpoint, "first": arguments.first}
    paths = [
        given[name] or index.origin.mapping(name).text("checkpoint")
        for name in given
        if name in index.origin or given[name]
    ]
    checkpoints = [open_checkpoint(path, arguments.any_extractor) for path in paths]
    added = add_to_index(
        arguments.index,
        Models(*checkpoints),
        arguments.data or checkpoints[0].config.data.dir,
        arguments.split,
        arguments.replace,
    )
    _report(arguments.index, "added", added)


def _delete(arguments):
    ids = [*arguments.ids, *(read_ids(arguments.list) if arguments.list else [])]
    if not ids:
        raise InputError("nothing to delete: give ids, or --ids FILE with one a line")
    with IndexWriter(arguments.index) as writer:
        deleted = writer.delete(ids)
        writer.commit()
    _report(arguments.index, "deleted", deleted)


def _compact(arguments):
    with IndexWriter(arguments.index) as writer:
        writer.compact()
        writer.commit()
    say(describe_index(open_index(arguments.index)))


def _faiss(arguments):
    index = open_index(arguments.index)
    kind = build_faiss(index, "vector" if "vector" in index.settings.fields else "fragments", arguments.kind)
    say(f"{arguments.index}: {len(index)} {index.settings.holds}, first stage by {kind}")


def _onnx(arguments):
    from ..search.build import add_onnx_encoders

    added = add_onnx_encoders(arguments.index)
    what = f"{' and '.join(added)} by onnxruntime from now on" if added else "has its ONNX files"
    say(f"{arguments.index}: {what}")


def _info(arguments):
    if is_inverted(arguments.index):
        say(InvertedIndex(arguments.index, arguments.verify).describe())
    else:
        say(describe_index(open_index(arguments.index)))
        if arguments.verify:
            verify_index(arguments.index)
            verify_faiss(arguments.index)
    if arguments.verify:
        say("verified: every file has its checksum")


def _report(directory, what, count):
    index = open_index(directory)
    say(f"{directory}: {count} {what}, now {len(index)} {index.settings.holds} (commit {index.commit})")


if __name__ == "__main__":
    run_tool(main)
