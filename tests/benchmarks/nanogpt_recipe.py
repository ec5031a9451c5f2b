"""Does our GPT reproduce nanoGPT's published figure, and what does it cost?

    python tests/benchmarks/nanogpt_recipe.py [--text FILE] [--iters 2000] [--threads 1] [--keep 32]

nanoGPT's README states a validation loss of 1.88 for its CPU recipe on tinyshakespeare; a rerun of
its code gave 1.8857. It is a mean over random blocks, where a symbol has 0 to 63 symbols before it.
The README's command takes 20 batches of 12 blocks, which leaves a standard error of 0.013; we take
200. Over segments of 1,024 bytes, by the predictor, less is lost at the beginnings. All losses are
in nats per byte.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from algorithms.backprop_gpt import BackpropGPT, Lanes
from tasks import texts
from tasks.sequence import SequenceSpec, examine

PUBLISHED, RERUN = 1.88, 1.8857
SEGMENT = 1024
EVAL_ITERS = 200


class Clock:
    """Prints a row with the CPU and wall seconds since the last one."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def row(self, what: str, loss: str = "") -> None:
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        print(f"{what:<44}{loss:>20}{cpu:>9.1f}{wall:>9.1f}", flush=True)
        self.start()


def random_block_loss(predictor: Lanes, text: np.ndarray, batch_size: int, seed: int) -> str:
    """nanoGPT's estimate: cross-entropy over random blocks of uint8 text, with its standard error."""
    import torch
    from torch.nn.functional import cross_entropy

    model = predictor.model
    device = model.symbols.weight.device
    symbols = torch.from_numpy(predictor.ids[text]).long().to(device)
    within = torch.arange(model.block_size + 1)
    rng = torch.Generator().manual_seed(seed)
    losses = []
    with torch.inference_mode():
        for _ in range(EVAL_ITERS):
            high = len(text) - model.block_size
            starts = torch.randint(high, (batch_size, 1), generator=rng)
            block = symbols[(starts + within).to(device)]
            logits = model(block[:, :-1])
            losses.append(cross_entropy(logits.flatten(0, 1), block[:, 1:].flatten()).item())
    return f"{np.mean(losses):.4f} ± {np.std(losses) / EVAL_ITERS**0.5:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--text", default="tinyshakespeare", help="a file, or what to download")
    parser.add_argument("--iters", type=int, default=BackpropGPT.max_iters)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--keep", type=int, nargs="+", default=[BackpropGPT.block_size // 2])
    asked = parser.parse_args()
    data = texts.load(asked.text).data
    cut = int(0.9 * len(data))
    train, held_out = data[:cut], data[cut:]
    count = len(held_out) // SEGMENT
    segments = held_out[: count * SEGMENT].reshape(count, SEGMENT)

    print(f"train {len(train):,} bytes, validation {len(held_out):,}")
    print(f"{'':<44}{'nats per byte':>20}{'CPU-s':>9}{'wall-s':>9}")
    clock = Clock()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)  # read when torch is loaded, in `prepare`
    algorithm = BackpropGPT(max_iters=asked.iters, device=asked.device, compile=asked.compile)
    algorithm.prepare(SequenceSpec(len(train), SEGMENT, count, asked.seed))
    import torch  # not before `prepare`, which has a say in how torch is loaded

    clock.row(f"prepare, torch {torch.__version__}")
    training = algorithm.train({"text": train})
    while True:
        try:
            next(training)
        except StopIteration as end:
            predictor: Lanes = end.value
            break
    clock.row(f"train, {asked.iters} iterations, {torch.get_num_threads()} threads")
    loss = random_block_loss(predictor, held_out, algorithm.batch_size, asked.seed)
    clock.row(f"random blocks (stated {PUBLISHED}, rerun {RERUN})", loss)
    for keep in asked.keep:
        predictor.keep = keep
        score = examine(segments, predictor, count)
        clock.row(f"{count} segments, keep {keep}", f"{score.value:.4f} ± {score.se:.4f}")


if __name__ == "__main__":
    main()
