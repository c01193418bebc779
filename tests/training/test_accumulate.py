"""Several batches to one update: as if their rows were those of a single batch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import SETTINGS, Interrupted, make_task

from rnnlab.cells import Elman
from rnnlab.errors import InputError
from rnnlab.training import loop, step
from rnnlab.training.optimizers import chain
from rnnlab.training.writers import read_metrics

MOVED = "update_ratio/embedding"
PLAIN = dataclasses.replace(
    SETTINGS, optimizer="sgd", momentum=0.9, learning_rate=0.5, clip_norm=0.05
)


def undropped(rows):
    """Returns a task of so many rows, without dropout."""
    task = make_task(Elman(3), rows)
    stack = task.model.stack.clone(dropout=0.0)
    return dataclasses.replace(task, model=task.model.clone(stack=stack))


def rows_of(batch, rows):
    """Returns some rows of a batch."""
    parts = (part[:, rows] for part in batch[:3])
    return batch._replace(**dict(zip(batch._fields, parts, strict=False)))


def test_three_batches_are_one_of_three_times_the_rows():
    whole, part = undropped(6), undropped(2)
    threefold = dataclasses.replace(PLAIN, accumulate=3)
    once = jax.jit(step.update(whole, PLAIN, 99))
    thrice = jax.jit(step.update(part, threefold, 99))
    wanted, found = step.init(whole, PLAIN), step.init(part, threefold)
    for _, batch in zip(range(2), whole.batches("train"), strict=False):
        batch = batch._replace(reset=np.array(True))
        wanted, _ = once(wanted, batch)
        for k in range(3):
            before = found.params
            some = rows_of(batch, slice(2 * k, 2 * k + 2))
            found, metrics = thrice(found, some)
            changed = jax.tree.map(lambda a, b: (a != b).any(), found.params, before)
            assert any(jax.tree.leaves(changed)) == (k == 2)
            assert float(metrics.grad_norm) > 0.05  # it is the mean that is clipped
    assert (int(wanted.step), int(found.step)) == (2, 6)
    for mine, other in zip(
        jax.tree.leaves(found.params), jax.tree.leaves(wanted.params), strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Rated:
    """A task whose batches have a factor on the rate, the first one's or another."""

    task: object
    factors: tuple[float, float]

    def __getattr__(self, name):
        return getattr(self.task, name)

    def loss(self, params, memory, batch, *given):
        loss, outcome = self.task.loss(params, memory, batch, *given)
        factor = jnp.where(batch.reset, *self.factors)
        return loss, outcome._replace(rate=factor)


def test_each_batch_has_its_own_part_of_the_rate():
    settings = dataclasses.replace(PLAIN, momentum=0.0, clip_norm=None, accumulate=2)
    moved = {}
    for factors in ((1.0, 0.0), (0.0, 1.0), (0.5, 3.0)):
        task = Rated(undropped(2), factors)
        update = jax.jit(step.update(task, settings, 9))
        state = step.init(task, settings)
        start = state.params["embedding"]
        for batch, reset in zip(task.batches("train"), (True, False), strict=False):
            state, _ = update(state, batch._replace(reset=np.array(reset)))
        moved[factors] = state.params["embedding"] - start
    first, second, both = moved.values()
    assert np.abs(first).max() > 1e-4 < np.abs(second).max()
    np.testing.assert_allclose(both, 0.5 * first + 3 * second, rtol=1e-4, atol=1e-6)


def test_probes_look_where_parameters_move():
    dataclasses.replace(PLAIN, accumulate=3, probe_every=6)
    with pytest.raises(InputError, match="--probe_every must be a multiple of --accum"):
        dataclasses.replace(PLAIN, accumulate=3, probe_every=4)


def test_probes_find_the_updates_again_after_a_batch_is_skipped(tmp_path):
    settings = dataclasses.replace(
        PLAIN, accumulate=2, probe_every=2, steps=9, skip_nonfinite=1
    )
    task = Interrupted(
        undropped(2), 2, lambda batch: batch._replace(mask=np.zeros_like(batch.mask))
    )
    loop.fit(task, settings, tmp_path, {}, lambda loss: {}, 10)
    found = [row for row in read_metrics(tmp_path / "metrics.jsonl") if MOVED in row]
    assert [row["step"] for row in found] == [2, 5, 7, 9]
    assert all(row[MOVED] > 0 for row in found)


def test_what_draws_numbers_draws_them_once_an_update():
    params = {"w": np.ones(3, np.float32)}
    noisy = dataclasses.replace(PLAIN, gradient_noise=0.1)
    ends = []
    for settings, count in ((noisy, 1), (dataclasses.replace(noisy, accumulate=2), 2)):
        optimizer = chain(settings)
        state = optimizer.init(params)
        for _ in range(count):
            updates, state = optimizer.update(params, state, params)
        ends.append(updates["w"])
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)
