"""What two processes of one training do in the tests, and where their gradients are kept."""

import os
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import paddle

from inflate_shrink.config import load_config
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine import steps
from inflate_shrink.engine.batch_scores import Execution
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint
from inflate_shrink.engine.objectives import DistillationObjective, training_objective
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.ranks import joined
from inflate_shrink.engine.teacher import Teacher


def gradients(config, ranks, step=0, cache_dir=None, log=lambda line: None):
    """Return "loss" and the gradient of each parameter for the config's first batch, as update ``step`` has them."""
    data = open_training_data(config.data, config.optim.batch_size)
    paddle.seed(5)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    model.train()
    if config.distill.teacher:
        teacher = Teacher(config.distill, open_checkpoint(config.distill.teacher))
        teacher.prepare(data, Path(cache_dir), log, ranks)
        objective = DistillationObjective(config.distill, teacher)
    else:
        objective = training_objective(config)
    size = config.optim.batch_size
    batch = next(epoch_batches(data.store, data.train, size, 0, 0, rank=ranks.rank, size=ranks.size))
    paddle.seed(7)
    precision = Precision(config.amp)
    precision.restore({**precision.scaler.state_dict(), "scale": np.array([64.0], "float32")})  # nothing overflows
    loss = objective(precision.network(model), batch, Execution(precision, ranks, config.optim.chunk), step)
    precision.backward(loss.value, model)
    ranks.sum_gradients(model.parameters())
    found = {name: p.grad.numpy() / precision.loss_scale for name, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.value.numpy(), **found}


def environment(rank, port):
    """Return what paddle.distributed.launch sets for one of two processes on this machine."""
    here = [f"127.0.0.1:{port + 1 + number}" for number in range(2)]
    return {
        "PADDLE_MASTER": f"127.0.0.1:{port}",
        "PADDLE_TRAINER_ID": str(rank),
        "PADDLE_TRAINERS_NUM": "2",
        "PADDLE_TRAINER_ENDPOINTS": ",".join(here),
        "PADDLE_CURRENT_ENDPOINT": here[rank],
        "PADDLE_DISTRI_BACKEND": "gloo",
        "MKL_NUM_THREADS": "1",
    }


def free_port():
    """Return a port that nothing listens to."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def work(rank, ports, yaml, cases, directory):
    """Do, as one of two processes: the gradients of all cases, a training, and dying in the middle of another one."""
    sys.stdout = sys.stderr = open(f"{directory}/out-{rank}", "w", buffering=1)
    os.environ.update(environment(rank, ports[0]))
    with joined() as ranks:
        for name, (overrides, step) in cases.items():
            config = load_config(yaml, overrides)
            found = gradients(config, ranks, step, f"{directory}/cache-{name}")
            if ranks.writes:
                np.savez(f"{directory}/{name}.npz", **found)
    run = f"run.dir={directory}/run"
    os.environ["PADDLE_MASTER"] = f"127.0.0.1:{ports[1]}"  # Paddle keeps the first port
    steps.train(load_config(yaml, ["model.dropout=0", "optim.epochs=1", run]))
    paddle.seed(9)
    fit = steps.fit

    def dying(*arguments):
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return fit(*arguments)

    steps.fit = dying
    os.environ["PADDLE_MASTER"] = f"127.0.0.1:{ports[2]}"
    steps.train(load_config(yaml, [f"run.dir={directory}/died"]))
