"""Distil a teacher into a model with fewer interactions (paper, Sec. 4.2).

  python tools/distill.py -c configs/demo/I-B.yaml
  python tools/distill.py -c configs/demo/B-F.yaml -o distill.teacher=runs/demo/B
  python tools/distill.py -c configs/demo/I-B-F.yaml --resume

Checkpoints and the log are in run.dir; tools/eval.py measures the best of them.
"""

from ..cli import run_tool, training_config


def main(argv):
    """Run tools/distill.py with the arguments ``argv``."""
    config, resume = training_config(__doc__, argv)
    from ..engine.steps import distill

    distill(config, resume)


if __name__ == "__main__":
    run_tool(main)
