"""Every key of the configuration: its type, default, range, other names, and what it decides.

Ranges, messages, the keys of a pipeline's steps, what may change when a run is resumed and what
makes two runs the same model in a report: all are read from here.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from typing import List, Literal, Union

WEIGHTS = "weights"  # which weights come out: the best checkpoint's
PLACE = "place"  # where something lies whose content decides the weights
RESULT = "result"  # what is measured of them
NOTHING = "nothing"  # neither
MANY = 10**9  # more updates, epochs or images than anyone waits for


def key(
    default,
    *,
    least=None,
    most=None,
    above=None,
    decides: str = WEIGHTS,
    aliases: tuple[str, ...] = (),
    young: bool = False,
):
    """Return a field with its range, ends included but for ``above``.

    Args:
        aliases: what other projects call it.
        young: there are runs from before it; with its default it is no part of the name of a pipeline's step.
    """
    metadata = {
        "least": least,
        "most": most,
        "above": above,
        "decides": decides,
        "aliases": aliases,
        "young": young,
    }
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class DataConfig:
    """The data set, its splits and how captions are read."""

    # what reports call it; coco and flickr30k are those of the paper
    name: str = key("", decides=NOTHING, aliases=("dataset",))
    dir: str = key("data/demo", decides=PLACE, aliases=("data_dir", "root", "path"))
    vocab: str = key("", decides=PLACE, aliases=("vocab_file",))  # WordPiece vocabulary file; empty: vocab.txt in `dir`
    train_split: str = key("train")
    val_split: str = key("val")
    test_split: str = key("test", decides=RESULT)
    # take models (model.init, distill.teacher) that were trained on regions of another extractor
    any_extractor: bool = key(False, decides=NOTHING)
    # WordPiece positions, first and last token included; BERT has 512
    text_length: int = key(32, least=2, most=512, aliases=("max_length", "max_len", "seq_length"))
    first_token: str = key("[CLS]")  # every caption begins with it; empty: none
    last_token: str = key("[SEP]")  # every caption ends with it; empty: none
    # share of the training samples that take the mirrored photo, where the data set has it
    # (tools/extract_regions.py --mirrored)
    mirrored: float = key(0.5, least=0, most=1, young=True)
    # so many captions of an image go to a batch together, for which it is encoded once; take loss.mask_same_image too
    captions_together: int = key(1, least=1, most=MANY, young=True)
    # how the test is measured, the main protocol first
    protocols: List[Literal["full", "first1k", "fold5"]] = key(["full"], decides=RESULT)


@dataclass
class ModelConfig:
    """A model is (codes, fragments): I = (32, all), B = (0, 32), F = (0, 1). Its neighbours differ in ``scoring``."""

    codes: int = key(0, least=0, most=4096, aliases=("num_codes",))  # inflating codes k on each side (Sec. 4.1)
    # what a code is before the layers: a constant, as released, or that and the mean of the words or regions beside it
    code_input: Literal["constant", "pooled"] = key("constant", young=True)
    # the first l fragments are scored (Table 6)
    fragments: Union[int, Literal["all"]] = key("all", least=1, most=8192, aliases=("num_fragments",))
    # how the one vector of a model with one fragment is made: the first, as in the paper, or of all (model/pooling.py)
    vector: Literal["slot", "mean", "attention", "generalised"] = key("slot", young=True)
    score_padding: Literal["counted", "masked"] = key("counted")
    # what a text's fragments count in the sum: 1 each, or words by the length of their row in the word table
    # (in a linear start its idf and how well an image is known by it) and codes by learned weights
    text_weights: Literal["equal", "length"] = key("equal", young=True)
    scoring: Literal["late_interaction", "visual_sparta", "scan_t2i", "scan_i2t", "cross"] = key("late_interaction")
    pooling: Literal["sum", "logsumexp"] = key("logsumexp")  # how SCAN's similarities become one, over words or regions
    joint: bool = key(False)  # the model is a cross-BERT too: batches alternate between the two objectives
    # none | linear | teacher | bert-base-uncased | directory of a BERT or a checkpoint of ours
    init: str = key("none", decides=PLACE, aliases=("pretrained",))
    # directory of a BERT of any sizes that a linear start learns from too: which words mean the like; empty: none
    bert: str = key("", decides=PLACE, young=True)
    # root mean square of the entries of a linear start, at which an update of Adam changes them by lr; 0: vectors of
    # mean norm 1, whose entries are far smaller where features are long
    linear_entries: float = key(0.0, least=0, most=1000, young=True)
    hidden: int = key(768, least=1, most=16384, aliases=("hidden_size", "d_model", "dim", "width"))
    layers: int = key(3, least=1, most=256, aliases=("num_layers", "num_hidden_layers", "depth"))
    heads: int = key(12, least=1, most=1024, aliases=("num_heads", "num_attention_heads"))
    ffn: int = key(3072, least=1, most=65536, aliases=("intermediate_size", "ffn_size"))
    dropout: float = key(0.1, least=0, most=0.99, aliases=("dropout_rate", "hidden_dropout_prob"))
    # layers that were not loaded give back their input at first: a model begins as its start alone
    zero_residual: bool = key(False, young=True)

    @property
    def weighs_words(self) -> bool:
        """Return whether a text's fragments have weights: one alone has none."""
        return self.text_weights == "length" and self.fragments != 1

    def fragments_of(self, inputs: int) -> int:
        """Return the number of fragments that are kept of so many words or regions and the codes."""
        given = inputs + self.codes
        return given if self.fragments == "all" else min(self.fragments, given)

    def positions_needed(self, filled: int, given: int) -> int:
        """Return how many of the ``given`` positions of words or regions decide a score, if the first are ``filled``.

        Padding is never attended to. It matters where it is scored, and where it keeps codes out of the first l.
        """
        if self.fragments == "all":
            return filled if self.score_padding == "masked" else given
        if self.score_padding == "masked" and not self.codes:
            return filled
        return min(max(filled, self.fragments), given)


@dataclass
class LossConfig:
    """The ranking loss (Eq. 4), and how the matching loss finds its negatives."""

    ranking: Literal["sum", "hardest", "smooth_max", "contrastive"] = key("smooth_max")
    margin: float = key(0.6, least=0)  # of all but the contrastive loss
    scale: float = key(8.0, above=0, aliases=("logit_scale",), young=True)  # multiplies the contrastive loss's scores
    power: int = key(8, least=1, most=1000)  # the exponent of the smooth maximum
    include_diagonal: bool = key(True)  # keep the constant diagonal in the smooth maximum
    mask_same_image: bool = key(False)  # other captions of an image are no negatives
    # the others of the batch in which the cross-BERT looks for its hard negatives
    candidates: Union[int, Literal["all"]] = key(8, least=1, most=MANY)


@dataclass
class DistillConfig:
    """The teacher, and the loss that compares a student with it (Eq. 6)."""

    # checkpoint directory, or a run directory (its best checkpoint)
    teacher: str = key("", decides=PLACE, aliases=("teacher_dir", "teacher_model"))
    loss: Literal["full", "positive"] = key("full")
    teacher_temperature: float = key(16.0, above=0)
    student_temperature: float = key(16.0, above=0, aliases=("temperature", "tau"))
    # of a student with one vector a side: weight of its distance to vectors factorised from the teacher's scores
    vectors: float = key(0.0, least=0, young=True)
    temperature_is: Literal["multiplier", "divisor"] = key("multiplier")
    student_init: str = key("")  # what students take for model.init; empty: model.init itself
    share_inputs: bool = key(True)  # embeddings and region projection are the teacher's, frozen
    share_codes: bool = key(False, young=True)  # inflating codes are the first of the teacher's, frozen
    teacher_dropout: bool = key(False)
    # GB of disk for the teacher's fragments; where they fit they are float16, which moves the targets by 1e-4
    cache_gb: float = key(4.0, least=0, young=True)


@dataclass
class OptimConfig:
    """Batches, updates and learning rate."""

    lr: float = key(1e-4, above=0, aliases=("learning_rate", "base_lr", "max_lr"))
    weight_decay: float = key(0.01, least=0, aliases=("wd", "decay"))
    # the greatest global norm of the gradient; 0: any
    clip: float = key(2.0, least=0, aliases=("grad_clip", "clip_norm", "max_grad_norm"))
    # 0 keeps the start, such as the linear one, as a checkpoint
    epochs: int = key(40, least=0, most=MANY, aliases=("epoch", "num_epochs", "max_epochs", "num_train_epochs"))
    # the other pairs of the batch are the negatives
    batch_size: int = key(128, least=2, most=MANY, aliases=("batch", "bs", "train_batch_size"))
    # batches per update; negatives come from one batch
    accumulate: int = key(1, least=1, most=MANY, aliases=("accumulation_steps", "gradient_accumulation_steps"))
    # pairs of which activations are kept at a time, a divisor of a process's part of a batch; the others are encoded
    # twice. 0: all
    chunk: int = key(0, least=0, most=MANY, aliases=("micro_batch_size", "chunk_size", "gc_chunk_size"), young=True)
    # updates in which the rate rises to lr
    warmup_steps: int = key(0, least=0, most=MANY, aliases=("warmup",))
    schedule: Literal["constant", "step", "cosine"] = key("step", aliases=("lr_schedule", "scheduler", "lr_scheduler"))
    decay_epochs: List[int] = key([20], least=0, most=MANY, aliases=("milestones",))
    decay_factor: float = key(0.1, least=0, aliases=("gamma",))


@dataclass
class AmpConfig:
    """Mixed precision, on GPUs."""

    level: Literal["O0", "O1", "O2"] = key("O0", aliases=("use_amp", "fp16"))
    dtype: Literal["float16", "bfloat16"] = key("float16")


@dataclass
class RunConfig:
    """Where a run is kept, its seed, and how often it logs, saves and validates."""

    dir: str = key("", decides=NOTHING, aliases=("output_dir", "save_dir"))  # where checkpoints and logs go
    seed: int = key(0, least=0, most=2**32 - 1, aliases=("random_seed",))
    # a line of the log every so many updates
    log_steps: int = key(50, least=1, most=MANY, decides=NOTHING, aliases=("log_iter", "logging_steps"))
    # the numbers of scalars.jsonl as records of VisualDL too, in the run's directory (docs/training.md)
    visualdl: bool = key(False, decides=NOTHING, young=True)
    # a checkpoint every so many updates, and after each epoch
    save_steps: int = key(500, least=1, most=MANY, decides=NOTHING, aliases=("save_interval",))
    # validate after every so many epochs, and after the last: the best is one of them
    eval_epochs: int = key(1, least=1, most=MANY, aliases=("eval_interval",), young=True)
    # validate on the first so many images, which chooses the best epoch; 0: all
    val_images: int = key(0, least=0, most=MANY)
    # the same for the test of a pipeline's step: a cross-BERT scores every pair
    test_images: int = key(0, least=0, most=MANY, decides=RESULT)


@dataclass
class Config:
    """One model and its training: the sections of a YAML file."""

    name: str = key("", decides=NOTHING)
    recipe: Literal["paper", "released"] = key("released")
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    amp: AmpConfig = field(default_factory=AmpConfig)
    run: RunConfig = field(default_factory=RunConfig)


class Key(typing.NamedTuple):
    """A key as :func:`key` describes it."""

    type: object
    default: object
    least: float | None
    most: float | None
    above: float | None
    decides: str
    aliases: tuple[str, ...]
    young: bool


def _keys(section: type, prefix: str = "") -> dict[str, Key]:
    types, found = typing.get_type_hints(section), {}
    for each in dataclasses.fields(section):
        if dataclasses.is_dataclass(types[each.name]):
            found.update(_keys(types[each.name], f"{each.name}."))
        else:
            default = each.default if each.default is not dataclasses.MISSING else each.default_factory()
            found[prefix + each.name] = Key(types[each.name], default, **each.metadata)
    return found


KEYS = _keys(Config)  # section.key -> what it is


def keys_deciding(*what: str) -> tuple[str, ...]:
    """Return the keys that decide one of WEIGHTS, PLACE, RESULT, NOTHING."""
    return tuple(name for name, each in KEYS.items() if each.decides in what)


def out_of_range(each: Key, value) -> str:
    """Return what a value of the right type must be, such as ``1 or more``; "" if it is. Lists: of each number."""
    numbers = [number for number in (value if isinstance(value, list) else [value]) if isinstance(number, (int, float))]
    if each.above is not None and any(number <= each.above for number in numbers):
        return f"above {each.above}"
    if each.least is not None and any(number < each.least for number in numbers):
        return f"{each.least} or more"
    if each.most is not None and any(number > each.most for number in numbers):
        return f"at most {each.most}"
    return ""
