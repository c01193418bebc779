"""What launch.probe finds is plain data, drawn for any cell; bad input is one line."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.image import imread

from experiments.language_modeling.task import LanguageTask
from launch import examine, panels, probe
from rnnlab.cells import LRU, LSTM, Elman
from rnnlab.data.streams import Batch, EvalStream
from rnnlab.engines import auto
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel, Softmax, Stack

VOCAB, LENGTH = 7, 6
IDS = np.random.default_rng(0).integers(0, VOCAB, 200).astype(np.uint8)


def make_task(*cells):
    stack = Stack(cells, auto(cells[0]))
    return LanguageTask(LanguageModel(4, stack, Softmax(VOCAB)), {}, {})


def find(*cells):
    task = make_task(*cells)
    batch = examine.sequence(list(EvalStream(IDS, 3, LENGTH, VOCAB))[:4])
    params = task.init(jax.random.key(0))
    return task, params, batch, examine.examine(task, params, batch, LENGTH)


def test_figures_are_those_of_the_probes_and_are_drawn(tmp_path):
    task, params, batch, found = find(LSTM(4), LSTM(3))
    assert found["steps"] == 4 * LENGTH and found["rows"] == 3
    first, second = found["layers"]
    assert (first["state"], second["state"]) == (8, 6)
    norms = first["curves"]["gradient_norm"]
    assert norms.shape == (4 * LENGTH,) and (norms > 0).all()
    step = first["jacobian"]["step"]
    assert 0 < step["smallest"] < step["median"] < step["largest"] < 3
    assert first["singular_values"]["8 steps"].shape == (8,)
    assert len(first["lyapunov"]) == 4 and first["lyapunov"][0] < 0
    bias = found["truncation"]
    assert bias["window"] == [1, 6] and min(bias["distance"]) > 0
    again = examine._truncation(task, params, batch, 10**6)
    assert again["window"] == [1, 5, 23]  # one step short of all
    assert again["distance"][-1] < min(bias["distance"])
    assert again["cosine"][-1] > max(bias["cosine"])
    panels.draw(tmp_path / "probe.png", found, "a title")
    assert imread(tmp_path / "probe.png").shape[1] == 1320
    text = json.dumps(probe.plain(found), allow_nan=False)
    assert json.loads(text)["layers"][1]["state"] == 6


@pytest.mark.parametrize("cell", [LRU(4), Elman(4, activation="relu")], ids=str)
def test_layers_without_gates_are_drawn_too(cell, tmp_path, monkeypatch):
    monkeypatch.setattr(examine, "LARGEST", 5)
    monkeypatch.setattr(examine, "COUNT", 2)
    _, _, _, found = find(cell)
    (layer,) = found["layers"]
    panels.draw(tmp_path / "probe.png", found, "")
    assert layer["saturation"] == {}
    size = 2 if isinstance(cell, LRU) else 4  # no matrix for the larger state
    assert layer["singular_values"]["step"].shape == (size,)


def test_data_become_json():
    found = {
        "a": np.array([1.0, np.inf]),
        "b": [math.nan, {"c": np.float32(2)}],
        "d": 3,
    }
    assert probe.plain(found) == {"a": [1.0, None], "b": [None, {"c": 2.0}], "d": 3}


def test_rows_that_are_padded_are_left_out():
    mask = np.ones((12, 3), bool)
    mask[7:, 1] = False
    numbers = np.arange(36).reshape(12, 3)
    batch = examine.sequence([Batch(numbers, numbers, mask, np.asarray(True))])
    np.testing.assert_array_equal(batch.inputs, numbers[:, [0, 2]])


def test_bad_input_is_named():
    with pytest.raises(InputError, match="more than 8 tokens is wanted, got 6"):
        examine.sequence([next(iter(EvalStream(IDS, 3, LENGTH, VOCAB)))])

    @dataclasses.dataclass(frozen=True)
    class Counting(Elman):
        def initial(self, batch, dtype=jnp.float32):
            return jnp.zeros((*batch, self.features), jnp.int32)

    batch = examine.sequence(EvalStream(IDS, 3, LENGTH, VOCAB))
    with pytest.raises(InputError, match="int32.*Counting"):
        examine.examine(make_task(Counting(4)), {}, batch, LENGTH)
