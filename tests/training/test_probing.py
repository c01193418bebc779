"""A run with probes is the run without, and its rows say what there was to see."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.language_modeling.task import LanguageTask
from rnnlab.cells import GRU, LSTM
from rnnlab.data.streams import TrainStream
from rnnlab.engines import Deferred
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.probes import updates
from rnnlab.training import loop
from rnnlab.training.history import History
from rnnlab.training.probing import keep, prober
from rnnlab.training.settings import Training
from rnnlab.training.step import Metrics, init, train_step
from rnnlab.training.writers import read_metrics

VOCAB, ROWS, STEPS = 11, 4, 5
OFF = Training(
    steps=14, learning_rate=0.01, checkpoint_every=4, log_every=3, clip_norm=0.3
)
ON = dataclasses.replace(OFF, probe_every=2)


@functools.cache
def make_task():
    ids = np.random.default_rng(0).integers(0, VOCAB, 300).astype(np.uint8)
    model = LanguageModel(4, Stack((LSTM(4), GRU(3)), Deferred(), 0.3), Softmax(VOCAB))
    streams = {"train": TrainStream(ids, ROWS, STEPS, VOCAB)}
    return LanguageTask(model, streams, {"train": ROWS})


def fit(folder, settings):
    folder.mkdir(exist_ok=True)
    return loop.fit(make_task(), settings, folder, {}, lambda loss: {}, 10)


def bits(state):
    def data(leaf):
        keys = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if keys else leaf).tobytes()

    return [data(leaf) for leaf in jax.tree.leaves(state)]


def rows(folder, name):
    return [row for row in read_metrics(folder / "metrics.jsonl") if name in row]


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probed") / "run"
    state, _ = fit(folder, ON)
    return folder, state


def test_probes_change_no_bit(probed, tmp_path):
    folder, state = probed
    plain, _ = fit(tmp_path / "run", OFF)
    assert bits(plain) == bits(state)
    assert rows(tmp_path / "run", "loss") == rows(folder, "loss")


def test_a_resumed_run_has_the_same_rows(probed, tmp_path):
    folder, state = probed
    fit(tmp_path / "run", dataclasses.replace(ON, steps=7))
    resumed, _ = fit(tmp_path / "run", ON)
    assert bits(resumed) == bits(state)
    name = "clip_fraction"
    assert rows(tmp_path / "run", name) == rows(folder, name)


def test_rows_hold_figures_of_layers_groups_and_noise(probed):
    folder, _ = probed
    found = rows(folder, "noise/scale")
    assert [row["step"] for row in found] == list(range(2, 15, 2))
    for row in found:
        for k, leaves in enumerate(("ch", "h")):
            for name in ("decay", "reach", *(f"norm/{leaf}" for leaf in leaves)):
                assert row[f"layer_{k}/{name}"] > 0
        assert 0 <= row["layer_0/saturated/sigmoid 1"] <= 1
        assert row["layer_0/forget_time/c"] > 0 == row["layer_0/forget_time/h"]
        for name in ("embedding", "stack", "output"):
            assert row[f"update_ratio/{name}"] > 0
        assert row["noise/scale"] == pytest.approx(
            row["noise/trace"] / row["noise/signal"], rel=1e-5
        )
    shares = [row["clip_fraction"] for row in found]
    assert set(shares) <= {0, 0.5, 1} and 0 < np.mean(shares) < 1


def test_ratios_and_noise_are_those_of_the_update():
    task = make_task()
    state = init(task, ON)
    batch = next(task.batches("train"))
    before = keep(state)
    after, _ = train_step(task, ON, ON.steps)(state, batch)
    found = prober(task)(before, after.params, batch)
    for name, group in before.params.items():
        change = jax.tree.map(jnp.subtract, after.params[name], group)
        wanted = updates.ratio(group, change)
        np.testing.assert_allclose(found[f"update_ratio/{name}"], wanted, rtol=1e-4)

    def gradient(part, key):
        memory = jax.tree.map(lambda a: a[part], before.memory)
        own = batch._replace(
            inputs=batch.inputs[:, part],
            targets=batch.targets[:, part],
            mask=batch.mask[:, part],
        )
        return jax.grad(lambda p: task.loss(p, memory, own, key, True)[0])(
            before.params
        )

    keys = jax.random.split(before.key, 2)
    halves = gradient(slice(0, 2), keys[0]), gradient(slice(2, 4), keys[1])
    wanted = updates.noise(jax.tree.map(lambda *g: jnp.stack(g), *halves), 2)
    np.testing.assert_allclose(found["noise/trace"], wanted.trace, rtol=1e-4)
    np.testing.assert_allclose(found["noise/signal"], wanted.signal, rtol=1e-3)


def test_one_row_has_no_noise_and_all_else():
    task = make_task()
    state = init(task, ON)
    one = jax.tree.map(lambda a: a[:1], state.memory)
    batch = next(task.batches("train"))
    batch = batch._replace(
        inputs=batch.inputs[:, :1], targets=batch.targets[:, :1], mask=batch.mask[:, :1]
    )
    found = jax.jit(task.probe)(state.params, state.params, one, batch, state.key)
    assert "layer_1/reach" in found and "noise/scale" not in found


def test_the_clip_fraction_is_since_the_last_one():
    history = History()
    for norm in (0.5, 2.0, 3.0, 1.0):
        history.add(Metrics(*map(np.float32, (1, norm, 1, 0))), 1.0)
    assert history.clip_fraction() == 0.5
    assert np.isnan(history.clip_fraction())
    history.add(Metrics(*map(np.float32, (1, 9, 1, 0))), None)
    assert history.clip_fraction() == 0


def test_a_task_without_probe_is_named():
    class Silent:
        pass

    with pytest.raises(InputError, match="--probe_every needs a task.*got Silent"):
        prober(Silent())
