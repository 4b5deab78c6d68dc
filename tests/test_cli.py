"""Options that several tools share."""

from pathlib import Path

import pytest
import yaml

from inflate_shrink.cli import training_config
from inflate_shrink.config import config_from_dict, load_config

COCO = Path(__file__).resolve().parents[1] / "configs" / "coco.yaml"


def test_several_overrides_behind_one_option():
    overrides = ["-o", "optim.lr=1", "optim.epochs=2", "--resume", "-o", "model.codes=3"]
    config, resume = training_config("", ["-c", f"{COCO}:B", *overrides])
    assert (config.optim.lr, config.optim.epochs, config.model.codes, resume) == (1, 2, 3, True)


def test_show_prints_the_whole_config_and_what_is_published(capsys):
    with pytest.raises(SystemExit) as end:
        training_config("", ["-c", f"{COCO}:I-k8l8-F", "-o", "optim.epochs=2", "--show"])
    said = capsys.readouterr().out
    assert end.value.code is None
    published = "Table 9, setting 8, coco1k: t2i R@1/5/10 67.6/91.4/98.4, i2t R@1/5/10 81.3/96.2/98.9"
    assert said.startswith(f"# Published: {published}\nname: I-k8l8-F\n")
    assert config_from_dict(yaml.safe_load(said), "shown") == load_config(f"{COCO}:I-k8l8-F", ["optim.epochs=2"])


@pytest.mark.parametrize(
    "row, line",
    [
        ("I-B", "# Published: Table 2, flickr30k: t2i R@1/5/10 64.5/88.2/92.4, i2t R@1/5/10 79.4/95.6/97.7\n"),
        ("SCAN-t2i", "# Published: Table 5, coco1k: t2i R@1/5/10 58.8/88.4/94.8, i2t R@1/5/10 72.7/94.8/98.4\n"),
        ("joint", "# Published: Geigle et al. 2022, reranked, coco5k: t2i R@1/5/10 54.7/81.3/88.9\n"),
        ("I-k2l2", "# Published: nothing for a row of this name\n"),
    ],
)
def test_published_lines(capsys, row, line):
    with pytest.raises(SystemExit):
        training_config("", ["-c", f"{COCO}:{row}", "--show"])
    assert line in capsys.readouterr().out
