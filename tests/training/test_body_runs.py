"""Runs of models without recurrence, or with it in blocks."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import SETTINGS, VOCAB, Interrupted, make_task, same_bits, terminate

from experiments.language_modeling import probe
from rnnlab.cells import LSTM, QRNN
from rnnlab.errors import Preempted
from rnnlab.nn import TCN, Blocks, LanguageModel, Softmax, Transformer, Windowed
from rnnlab.nn.generation import Sampling, sample
from rnnlab.training import loop

BODIES = {
    "tcn": TCN(4, (4, 3), kernel=2, dropout=0.3),
    "transformer": Transformer(4, layers=1, heads=2, context=7, dropout=0.3),
    "blocks": Blocks(4, (LSTM(4),), dropout=0.3),
    "windowed": Windowed((4,), (QRNN(4),), 2, dropout=0.3),
}


@functools.cache
def task_of(name):
    model = LanguageModel(4, BODIES[name], Softmax(VOCAB))
    return dataclasses.replace(make_task(LSTM(4)), model=model)


def fit(task, folder):
    folder.mkdir()
    return loop.fit(task, SETTINGS, folder, {}, lambda loss: {}, 10)[0]


@pytest.mark.parametrize("name", BODIES)
def test_a_stopped_run_resumes_bit_for_bit(name, tmp_path):
    wanted = fit(task_of(name), tmp_path / "whole")
    stopped = tmp_path / "stopped"
    with pytest.raises(Preempted, match="SIGTERM after step 14, "):
        fit(Interrupted(task_of(name), 13, terminate), stopped)
    again = loop.fit(task_of(name), SETTINGS, stopped, {}, lambda loss: {}, 10)[0]
    assert same_bits(again, wanted)


@pytest.mark.parametrize("name", BODIES)
def test_text_is_drawn_step_by_step_as_if_it_were_read_anew(name):
    task = task_of(name)
    model, params = task.model, jax.jit(task.init)(jax.random.key(2))
    params = jax.tree.map(lambda p: 3 * p, params)  # no two tokens as likely
    prompt = np.array([[1, 2], [3, 4], [5, 6]])
    greedy = Sampling(temperature=0)
    drawn = [*sample(model, params, prompt.T, 12, jax.random.key(0), greedy)]
    text = np.concatenate([prompt, drawn])
    given = {"params": params}, model.initial((2,)), text
    _, logits = jax.jit(model.apply)(*given)
    np.testing.assert_array_equal(np.argmax(logits[2:-1], -1), drawn)
    assert len({*np.ravel(drawn)}) > 1


@pytest.mark.parametrize("name", BODIES)
def test_a_probe_sees_layers_where_they_are_recurrent(name):
    task = task_of(name)
    params = jax.jit(task.init)(jax.random.key(0))
    change = jax.tree.map(lambda p: 0.1 * jnp.ones_like(p), params)
    batch = next(task.batches("train"))
    given = params, change, task.memory("train"), batch, jax.random.key(1)
    found = jax.jit(lambda *given: probe.figures(task, *given))(*given)
    assert all(np.isfinite(value) for value in found.values())
    assert ("layer_0/decay" in found) == (name in ("blocks", "windowed"))
    assert {"update_ratio/stack", "noise/scale"} <= found.keys()
