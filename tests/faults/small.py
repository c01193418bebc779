"""A task of a few numbers, of which each can be made bad at a chosen step."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnnlab.training.task import Outcome

PLACES = ("input", "target", "gradient", "carry", "loss")


class Batch(NamedTuple):
    """x [4, 3], y [4], and what is put in by place, [len(PLACES)]."""

    x: np.ndarray
    y: np.ndarray
    bad: np.ndarray


@jax.custom_vjp
def spoiled(x, bad):
    """Returns x; `bad` is added to its first derivative."""
    return x


spoiled.defvjp(
    lambda x, bad: (x, bad), lambda bad, g: (g.at[0].add(bad), jnp.zeros_like(bad))
)


@dataclasses.dataclass(frozen=True)
class Small:
    """y = x w + b + memory, where the memory is a decaying sum of mean inputs.

    Attributes:
        faults: step -> (place, number): the batch of that step has the number there.
        skipped: steps whose batch is not handed out; the next one is, in its place.
    """

    faults: tuple[tuple[int, str, float], ...] = ()
    splits = ("train", "valid")
    steps_per_epoch = 6

    def init(self, key):
        return {"w": jax.random.normal(key, (3,)), "b": jnp.zeros(())}

    def memory(self, split):
        return {"sum": jnp.zeros(())}

    def batches(self, split, start=0):
        bad = {step: (place, number) for step, place, number in self.faults}
        k = start
        while split == "train" or k < 2:
            rng = np.random.default_rng(k)
            x, y = rng.normal(size=(4, 3)), rng.normal(size=4)
            numbers = np.zeros(len(PLACES))
            if split == "train" and k in bad:
                place, number = bad[k]
                numbers[PLACES.index(place)] = number
            yield Batch(*(part.astype(np.float32) for part in (x, y, numbers)))
            k += 1

    def loss(self, params, memory, batch, key, train):
        bad = dict(zip(PLACES, batch.bad, strict=True))
        noise = 0.1 * jax.random.normal(key) if train else 0.0
        x, y = batch.x + bad["input"], batch.y + bad["target"]
        w = spoiled(params["w"], bad["gradient"])
        made = x @ w + params["b"] + memory["sum"] + noise
        after = {"sum": 0.5 * memory["sum"] + jnp.mean(batch.x) + bad["carry"]}
        loss = jnp.mean((made - y) ** 2) + bad["loss"]
        return loss, Outcome(after, jnp.float32(len(batch.y)))
