"""What `--probe_every` writes of a language model: by layer, by group of parameters.

Of each layer, where layers are recurrent, with the first rows of the batch:

    decay, reach    of the gradient of the last token's loss by the carry: the factor a
                    lag, and the lags over which its norm falls to 1/e
    saturated/      by activation, the share of values near an end of its range
    forget_time/    by leaf of the carry, in steps: the median over units
    norm/           by leaf, of the carry of a row: the mean over steps

Of the whole, `update_ratio/` by group of parameters, and the noise of the gradient,
whose examples are the rows of a batch: `noise/trace`, `noise/signal`, `noise/scale`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from rnnlab.data.streams import Batch
from rnnlab.nn import taps
from rnnlab.nn.layers import Layer, layers
from rnnlab.nn.parts import Recurring
from rnnlab.probes import gates, gradients, updates

if TYPE_CHECKING:  # it imports this
    from experiments.language_modeling.task import LanguageTask

ROWS = 8  # of a batch, for what is seen of layers and of noise
PARTS = 2  # in which the noise is told from the signal


def figures(
    task: "LanguageTask",
    params: Any,
    change: Any,
    memory: Any,
    batch: Batch,
    key: jax.Array,
) -> Mapping[str, jax.Array]:
    """Returns the figures of one update, by name, [] each."""
    batch, memory = first_rows(batch, memory, min(ROWS, batch.inputs.shape[1]))
    found = {}
    recurrent = isinstance(task.model.stack, Recurring)
    by_path = of_layers(task, params, memory, batch) if recurrent else {}
    for k, (layer, norms) in enumerate(by_path.values()):
        found |= {f"layer_{k}/{name}": v for name, v in of_layer(layer, norms).items()}
    for name, group in params.items():
        found[f"update_ratio/{name}"] = updates.ratio(group, change[name])
    if batch.inputs.shape[1] >= PARTS:
        noise = noise_of(task, params, memory, batch, key)
        found |= {f"noise/{name}": v for name, v in noise._asdict().items()}
        found["noise/scale"] = noise.scale
    return found


def of_layers(
    task: "LanguageTask", params: Any, memory: Any, batch: Batch
) -> dict[str, tuple[Layer, jax.Array]]:
    """Returns the layers by path, and the norms by lag [T, B] of the last token's loss.

    The first norm is that by the carry before the last step.
    """
    given = {"params": params}, task.carries(memory, batch), batch.inputs, batch.targets

    def last(outcome):
        _, nats = outcome
        return nats[-1].sum()  # so that each row has its own

    found = taps.by_carry(last, task.model, *given, method="loss")
    return {
        path: (layer, gradients.by_lag(found[path]))
        for path, layer in layers(task.model, *given, method="loss").items()
    }


def of_layer(layer: Layer, norms: jax.Array) -> dict[str, jax.Array]:
    """Returns the figures of one layer."""
    seen = gates.watch(*layer)
    mean = norms.mean(1)
    found = {"decay": gradients.rate(mean), "reach": gradients.memory(mean)}
    for name, shares in gates.saturation(seen.activations).items():
        found[f"saturated/{name}"] = jnp.mean(shares.low + shares.high)
    for name, kept in seen.kept.items():
        found[f"forget_time/{name}"] = jnp.median(gates.forget_time(kept.mean((0, 1))))
    for name, norm in gates.state_norms(seen.carries).items():
        found[f"norm/{name}"] = norm.mean()
    return found


def noise_of(
    task: "LanguageTask", params: Any, memory: Any, batch: Batch, key: jax.Array
) -> updates.Noise:
    """Returns the noise of the training gradient, with dropout; an example is a row."""
    size = batch.inputs.shape[1] // PARTS
    batch, memory = first_rows(batch, memory, PARTS * size)
    memory = jax.tree.map(lambda a: a.reshape(PARTS, size, *a.shape[1:]), memory)
    split = [a.reshape(-1, PARTS, size) for a in batch[:3]]

    def gradient(memory, inputs, targets, mask, key):
        part = Batch(inputs, targets, mask, batch.reset)
        return jax.grad(lambda p: task.loss(p, memory, part, key, True)[0])(params)

    keys = jax.random.split(key, PARTS)
    each = jax.vmap(gradient, in_axes=(0, 1, 1, 1, 0))(memory, *split, keys)
    return updates.noise(each, size)


def first_rows(batch: Batch, memory: Any, rows: int) -> tuple[Batch, Any]:
    """Returns the first rows of a batch and of the carries before it."""
    inputs, targets, mask = (a[:, :rows] for a in batch[:3])
    memory = jax.tree.map(lambda a: a[:rows], memory)
    return Batch(inputs, targets, mask, batch.reset), memory
