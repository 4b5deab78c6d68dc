"""Make a data set from captions and regions, in the formats of the field or your own (docs/own_data.md).

  python tools/prepare_data.py --captions captions.txt --format flickr --regions data/photos --out data/own
  python tools/prepare_data.py --captions dataset_flickr30k.json --format karpathy \\
      --regions flickr30k.tsv --regions-format tsv --vocab vocab.txt --out data/flickr30k
  python tools/prepare_data.py --captions train=train.csv val=val.csv --format csv \\
      --regions features --regions-format npz --out data/own
  python tools/prepare_data.py --verify data/own    # compare what is on disk with its checksums

Splits come from SPLIT=FILE, from the captions' own file, from lists of images (--split), or, where
none of them says, by seeded proportion. An interrupted call goes on when repeated.
"""

import os
import time
from functools import lru_cache
from pathlib import Path

# Set before NumPy is imported: each worker is one core's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ..cli import at_once, run_tool, tool_parser
from ..data.bad_records import BadRecords
from ..data.captions import FORMATS as CAPTION_FORMATS
from ..data.captions import CaptionOptions, caption_files, duplicate_captions, first_captions, read_captions
from ..data.captions.splits import assign_splits
from ..data.prepare import TRAIN, prepare, region_source, split_sizes
from ..data.region_files import FORMATS as REGION_FORMATS
from ..data.store import LISTED
from ..data.verify import verify_store
from ..data.vocabulary import build_vocabulary, cut_vocabulary, read_vocabulary
from ..data.wordpiece import wordpieces, words
from ..errors import InputError
from ..terminal import say


def main(argv):
    """Make or verify a data set as ``argv`` says; raises InputError."""
    parser = _parser(making=not any(argument.split("=")[0] == "--verify" for argument in argv))
    arguments = parser.parse_args(argv)
    if arguments.verify:
        _refuse(parser, arguments, ("captions", "format", "regions", "out"), "with --verify, which makes nothing")
        return _verify(arguments.verify)
    for allowed, names in (
        (("csv", "tsv"), ("image_column", "caption_column", "split_column")),
        (("karpathy",), ("without_restval",)),
    ):
        if arguments.format not in allowed:
            _refuse(parser, arguments, names, f"on --format {arguments.format}")
    if arguments.regions_format == "store":
        _refuse(parser, arguments, ("extractor",), "on --regions-format store, which knows it")
    if not arguments.vocab:
        _refuse(
            parser, arguments, ("cut_vocab",), "without --vocab: a vocabulary of the captions has no more than they use"
        )
    if arguments.captions_per_image < 0:
        raise InputError(f"--captions-per-image must be 1 or more, or 0 for all, found {arguments.captions_per_image}")
    bad = BadRecords(arguments.skip_bad)
    columns = arguments.image_column, arguments.caption_column, arguments.split_column
    options = CaptionOptions(*columns, not arguments.without_restval, arguments.vocab)
    found = read_captions(arguments.captions, arguments.format, bad, options)
    drawn = not (arguments.split or any(caption.split for caption in found))
    if not drawn:
        _refuse(parser, arguments, ("val", "test", "seed"), "where --split or the captions give the splits")
    captions, left_out = assign_splits(
        found, _lists(arguments.split), arguments.val, arguments.test, arguments.seed, bad
    )
    unused = {caption.image_id for caption in found} - {caption.image_id for caption in captions}
    if left_out:
        say(f"{left_out} images with captions are in no split list and are left out")
    if arguments.captions_per_image:
        before, captions = len(captions), first_captions(captions, arguments.captions_per_image)
        say(
            f"{before - len(captions)} captions are beyond the first {arguments.captions_per_image} of their image and "
            "are left out"
        )
    repeated = duplicate_captions(captions)
    if repeated:
        say(f"{repeated} captions repeat another of their image; they are kept")

    source = region_source(arguments.regions, arguments.regions_format, arguments.extractor)
    given = read_vocabulary(arguments.vocab) if arguments.vocab else None
    start = time.perf_counter()
    done = prepare(
        arguments.out,
        captions,
        source,
        lambda usable: _vocabulary(usable, given, arguments.cut_vocab),
        regions=arguments.clusters,
        dtype=arguments.dtype,
        workers=arguments.workers,
        bad=bad,
        unused=unused,
        seed=arguments.seed if drawn else None,
        caption_files=caption_files([*arguments.captions, *arguments.split]),
    )
    resumed = f" ({done.resumed} of them in an earlier call)" if done.resumed else ""
    seconds = time.perf_counter() - start
    say(
        f"{arguments.out}: {done.images} images{resumed}, {len(done.captions)} captions, {bad.count} records left out, "
        f"{seconds:.0f} s"
    )
    if done.without:
        say(f"{done.without} images with regions have no captions and are left out")
    say(split_sizes(done.captions))


def _vocabulary(captions, given, cut):
    """Return the tokens of the data set: those given, what the training captions use of them, or their own."""
    if given and not cut:
        return given
    training = [caption.text for caption in captions if caption.split == TRAIN]
    if not training:
        way = "leave --cut-vocab out" if given else "give one as --vocab"
        raise InputError(f"no caption of the split 'train' to make a vocabulary of; {way}")
    if not given:
        return build_vocabulary(training, words)
    number = {piece: row for row, piece in enumerate(given)}

    @lru_cache(None)
    def pieces_of(word):
        return {given[row] for row in wordpieces(word, number)}

    kept = cut_vocabulary(given, training, lambda caption: set().union(*map(pieces_of, words(caption))))
    say(f"the vocabulary: {len(kept)} of the {len(given)} pieces, those of the training captions and single characters")
    return kept


def _refuse(parser, arguments, names, where):
    """Refuse options that would silently do nothing: they are a mistake."""
    for name in names:
        if getattr(arguments, name) != parser.get_default(name):
            raise InputError(f"--{name.replace('_', '-')} has no effect {where}; leave it out")


def _verify(directory):
    store = verify_store(directory)
    rest = ""
    if not (store.directory / LISTED.name).exists():
        rest = f"; it has no {LISTED.name}, so only its features have a checksum"
    say(f"{directory}: as it was written, {len(store.image_ids)} images and {len(store.captions)} captions{rest}")


def _parser(making=True):
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add("--verify", metavar="DIR", help="compare a whole data set with its checksums, and make none")
    add(
        "--captions",
        nargs="+",
        required=making,
        metavar="[SPLIT=]FILE",
        help="caption files (for scan and released: or their folder)",
    )
    add("--format", required=making, choices=CAPTION_FORMATS, help="format of the caption files")
    add(
        "--regions",
        nargs="+",
        required=making,
        metavar="PATH",
        help="region files or folders, or what tools/extract_regions.py made",
    )
    add(
        "--regions-format", choices=REGION_FORMATS, default="store", help="format of the regions (default: %(default)s)"
    )
    add("--extractor", default="", help="what made the regions, for the record (with store: known)")
    add("--out", required=making, metavar="DIR", help="the new data set")
    add("--split", nargs="+", default=[], metavar="SPLIT=FILE", help="lists of images, one name a line")
    add(
        "--val",
        type=float,
        default=0.1,
        help="share of the images for the split val, where nothing else gives splits (default: %(default)s)",
    )
    add("--test", type=float, default=0.1, help="share of the images, like --val (default: %(default)s)")
    add("--seed", type=int, default=0, help="another seed draws other splits (default: %(default)s)")
    add(
        "--vocab",
        default="",
        metavar="FILE",
        help="WordPiece vocab.txt (default: made from the training captions, for any alphabet)",
    )
    add(
        "--cut-vocab",
        action="store_true",
        help="keep of --vocab what the training captions use, and single characters; a BERT's vectors still load",
    )
    add("--image-column", default="image", help="column of the images' names in csv and tsv (default: %(default)s)")
    add("--caption-column", default="caption", help="column of the captions (default: %(default)s)")
    add("--split-column", default="", help="column of the splits (default: none)")
    add("--without-restval", action="store_true", help="karpathy: leave out restval, which else joins train")
    add(
        "--captions-per-image",
        type=int,
        default=0,
        metavar="N",
        help="keep the first N; 5 as the field does with COCO (default: all)",
    )
    add("--clusters", type=int, default=32, help="most regions of an image; more are clustered (default: %(default)s)")
    add("--dtype", choices=("float16", "float32"), default="float16", help="type on disk (default: %(default)s)")
    add(
        "--workers",
        type=at_once,
        default=len(os.sched_getaffinity(0)),
        help="processes (default: one a core, %(default)s)",
    )
    add(
        "--skip-bad",
        action="store_true",
        help="leave out bad records, with a line for each of the first 20, instead of stopping at the first",
    )
    return parser


def _lists(arguments):
    """Return ``SPLIT=FILE ...`` as a dictionary."""
    lists = {}
    for argument in arguments:
        split, equals, file = argument.partition("=")
        if not (split and equals and file) or split in lists:
            raise InputError(f"--split {argument}: expected SPLIT=FILE, each split once")
        lists[split] = Path(file)
    return lists


if __name__ == "__main__":
    run_tool(main)
