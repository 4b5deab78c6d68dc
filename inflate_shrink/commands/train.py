"""Train a model with the ranking loss (paper, Sec. 3 and 4.1).

  python tools/train.py -c configs/demo/B.yaml
  python tools/train.py -c configs/demo/B.yaml -o optim.lr=5e-4 -o run.dir=runs/my-B
  python tools/train.py -c configs/demo/B.yaml --resume

Checkpoints and the log are in run.dir; tools/eval.py measures the best of them.
"""

from ..cli import run_tool, training_config


def main(argv):
    """Run tools/train.py with the arguments ``argv``."""
    config, resume = training_config(__doc__, argv)
    from ..engine.steps import train

    train(config, resume)


if __name__ == "__main__":
    run_tool(main)
