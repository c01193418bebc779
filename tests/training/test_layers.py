"""Layers differ in training: their rates, and from which epoch on they move."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import SETTINGS, make_task

from experiments.language_modeling.depths import depths
from rnnlab.cells import Elman
from rnnlab.errors import InputError
from rnnlab.nn import Stack
from rnnlab.training import step
from rnnlab.training.layers import ByLayer, LayerRates

TASK = make_task(Elman(3))  # with dropout, by the key of the step
EPOCH = TASK.steps_per_epoch
DEPTH = {"output": 0, "Recurrent_1": 1, "Recurrent_0": 2, "embedding": 3}
SGD = dataclasses.replace(SETTINGS, optimizer="sgd", learning_rate=0.5, clip_norm=None)


def flat(params):
    """Returns the parameters of each layer as one vector."""
    layers = {**params["stack"], **{k: params[k] for k in ("embedding", "output")}}
    return {k: np.concatenate([*map(np.ravel, jax.tree.leaves(v))])
            for k, v in layers.items()}  # fmt: skip


@functools.cache
def begun(settings):
    """Returns the first state and the compiled update, which donates nothing."""
    return step.init(TASK, settings), jax.jit(step.update(TASK, settings, 200))


def moved(rates, at=0, **changes):
    """Returns how far an update at a step moves each layer, and its gradient's norm."""
    settings = dataclasses.replace(SGD, layer_rates=rates, **changes)
    start, update = begun(settings)
    state = start._replace(step=jnp.int32(at))
    before = flat(start.params)
    after, metrics = update(state, next(TASK.batches("train")))
    found = flat(after.params)
    return {k: found[k] - before[k] for k in before}, float(metrics.grad_norm)


def test_each_layer_has_its_part_of_the_rate():
    all_alike, norm = moved(LayerRates())
    slowed, same = moved(LayerRates(layer_decay=2.6))
    assert same == norm
    for name, depth in DEPTH.items():
        assert np.abs(all_alike[name]).max() > 1e-4
        wanted = all_alike[name] / 2.6**depth
        np.testing.assert_allclose(slowed[name], wanted, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("at", [0, 2 * EPOCH - 1, 2 * EPOCH, 6 * EPOCH])
def test_layers_are_trained_one_after_the_other(at):
    rates = LayerRates(unfreeze_every=2)
    found, norm = moved(rates, at)
    still = {name for name, change in found.items() if not change.any()}
    assert still == {name for name, depth in DEPTH.items() if at < 2 * EPOCH * depth}
    whole = np.concatenate([*found.values()]) / SGD.learning_rate
    assert norm == pytest.approx(np.linalg.norm(whole), rel=1e-3)


def test_decay_of_weights_waits_too():
    rates = LayerRates(unfreeze_every=2)
    found, _ = moved(rates, optimizer="adamw", weight_decay=0.5)
    assert {name for name, change in found.items() if change.any()} == {"output"}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_first_step_of_a_layer_is_as_long_as_the_first_of_all(accumulate):
    """Adam's first step is the rate, whatever the gradient; later ones, about that."""
    rates = LayerRates(unfreeze_every=2)
    settings = dataclasses.replace(
        SGD, layer_rates=rates, optimizer="adam", learning_rate=1e-3,
        accumulate=accumulate,
    )  # fmt: skip
    state, update = begun(settings)
    start, largest = flat(state.params), {}
    for batch in itertools.islice(TASK.batches("train"), accumulate * 20):
        state, _ = update(state._replace(step=state.step % (2 * EPOCH)), batch)
    state = state._replace(step=jnp.int32(6 * EPOCH))  # the embedding's turn
    before = flat(state.params)
    for batch in itertools.islice(TASK.batches("train"), accumulate):
        state, _ = update(state, batch)
    after = flat(state.params)
    for name in ("Recurrent_0", "embedding"):
        np.testing.assert_array_equal(before[name], start[name])
        largest[name] = np.abs(after[name] - before[name]).max()
    assert [*largest.values()] == pytest.approx([1e-3, 1e-3], rel=1e-2)


def test_depths_of_what_is_tied_and_of_gates_between_layers():
    model = TASK.model.clone(
        stack=Stack((Elman(4),) * 3, connect="highway"),
        output=TASK.model.output.clone(tied=True),
    )
    params = dataclasses.replace(TASK, model=model).init(jax.random.key(0))
    found = depths(params, tied=True)
    by_name = found["stack"] | found
    wanted = {"embedding": 0, "output": 0, "Recurrent_2": 1, "Highway_1": 1,
              "Recurrent_1": 2, "Highway_0": 2, "Recurrent_0": 3}  # fmt: skip
    for name, depth in wanted.items():
        assert {*jax.tree.leaves(by_name[name])} == {depth}, name


def test_a_task_without_layers_is_refused():
    ByLayer(object(), LayerRates(), 1)
    with pytest.raises(InputError, match="needs? a task with a method depths"):
        ByLayer(object(), LayerRates(layer_decay=2.0), 1)
