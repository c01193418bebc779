"""What holds of every problem: shapes, keys, its floor, and who has failed."""

import functools
import pickle

import jax
import numpy as np
import pytest
from draws import ALL, ROWS, sample, samples

from rnnlab.problems import PROBLEMS, Classes, Numbers
from rnnlab.problems.copy import Copied

every = pytest.mark.parametrize("problem", ALL.values(), ids=ALL)


def right(problem, draw):
    """Returns what says all answers as they should be, in NumPy."""
    if isinstance(problem, Numbers):
        return draw.y.copy()
    return 50 * np.eye(problem.outputs, dtype=np.float32)[draw.y]


@functools.partial(jax.jit, static_argnums=0)
def judged(problem, said, draw):
    """Returns the loss, and which rows have failed."""
    return problem.loss(said, draw), problem.failed(said, draw)


@every
def test_shapes(problem):
    x, y, counts = sample(problem)
    steps, asked = len(x), len(y)
    assert x.shape == (steps, ROWS, problem.inputs) and x.dtype == np.float32
    assert counts.shape == (asked, ROWS) and counts.dtype == np.float32
    assert asked <= steps and set(np.unique(counts)) <= {0, 1}
    assert (counts.sum(0) > 0).all()
    if isinstance(problem, Classes):
        assert y.shape == (asked, ROWS) and y.dtype == np.int32
        assert set(np.unique(y[counts > 0])) == {*range(problem.outputs)}
        assert 0 <= y.min() and y.max() < problem.outputs
    else:
        assert y.shape == (asked, ROWS, problem.outputs) and y.dtype == np.float32


@every
def test_equal_keys_draw_equally(problem):
    for leaf in samples(problem):
        np.testing.assert_array_equal(leaf[0], leaf[2])
    x = samples(problem).x
    assert not np.array_equal(x[0], x[1])
    assert len(np.unique(x[0], axis=1)[0]) > 20  # rows differ, too


@pytest.mark.parametrize("name", ["adding", "digits", "reverse_string"])
def test_a_draw_is_the_same_alone_as_side_by_side(name):
    alone = jax.jit(lambda key: ALL[name].draw(key, ROWS))(jax.random.key(0))
    for a, b in zip(alone, sample(ALL[name]), strict=True):
        np.testing.assert_array_equal(a, b)


@every
def test_the_floor_is_what_the_best_answer_to_no_input_costs(problem):
    _, y, counts = sample(problem)
    if isinstance(problem, Classes):
        said = np.eye(problem.outputs)[y] * counts[..., None]  # [A, B, O]
        share = said.sum(1) / np.maximum(counts.sum(1), 1)[:, None]
        losses = -np.sum(said * np.log(np.where(share > 0, share, 1))[:, None], -1)
        free = len(y) * (problem.outputs - 1)  # numbers that were fitted to the draw
    else:
        losses = np.sum((y - y.mean(1, keepdims=True)) ** 2, -1) * counts
        free = 0
    loss = losses.sum() / counts.sum()
    off = np.std((losses - loss * counts).sum(0)) / np.sqrt(ROWS) / counts.sum(0).mean()
    fitted = (free + 4 * np.sqrt(2 * free)) / (2 * counts.sum())
    assert loss == pytest.approx(problem.floor, abs=4 * off + fitted + 1e-6)
    assert off + fitted < 0.05


@every
def test_a_row_fails_by_one_wrong_answer(problem):
    draw = sample(problem)
    said = right(problem, draw)
    said[draw.counts == 0] = 1e3  # not judged
    loss, failed = judged(problem, said, draw)
    assert loss < 1e-6 and not failed.any()
    asked = draw.counts[:, 3] > 0
    if isinstance(problem, Copied):
        asked &= draw.y[:, 3] < problem.symbols  # items, not blanks
    place = np.flatnonzero(asked)[-1]
    said[place, 3] = 1 - said[place, 3]
    loss, failed = judged(problem, said, draw)
    assert loss > 1e-5 and np.flatnonzero(failed).tolist() == [3]


@every
def test_a_problem_is_a_value(problem):
    again = pickle.loads(pickle.dumps(problem))
    assert again == problem and hash(again) == hash(problem)


def test_a_blank_said_wrongly_is_no_failure():
    draw = sample(ALL["copy"])
    said = right(ALL["copy"], draw)
    said[0] *= -1
    loss, failed = judged(ALL["copy"], said, draw)
    assert loss > 1 and not failed.any()


@pytest.mark.parametrize("name", ["adding", "bucket_sort"])
def test_only_the_last_steps_are_answers(name):
    draw = sample(ALL[name])
    said = right(ALL[name], draw)
    early = np.full((2, *said.shape[1:]), np.nan, np.float32)
    loss, failed = judged(ALL[name], np.concatenate([early, said]), draw)
    assert loss < 1e-6 and not failed.any()


BAD = [
    ("adding", {"steps": 1}, "steps to be an int of at least 2, got 1"),
    ("copy", {"lag": 0}, "lag to be an int of at least 1, got 0"),
    ("copy", {"lag": 5, "items": 0}, "items to be an int of at least 1"),
    ("copy", {"lag": 5, "symbols": 1}, "symbols to be an int of at least 2"),
    ("delayed_recall", {"steps": 5, "lag": 5}, "lag to be less than steps"),
    ("delayed_recall", {"steps": 5, "lag": 0}, "lag to be an int of at least 1"),
    ("digits", {"split": "all"}, "split to be one of train, test, got 'all'"),
    ("digits", {"permuted": 3}, "permuted to be one of False, True, got 3"),
    ("multiplication", {"steps": 2.0}, "steps to be an int of at least 2, got 2.0"),
    ("parity", {"steps": 0}, "steps to be an int of at least 1, got 0"),
    ("random_permutation", {"steps": 1}, "steps to be an int of at least 2"),
    ("random_permutation", {"steps": 5, "alphabet": 2}, "alphabet to be an int"),
    ("selective_copy", {"lag": 5, "items": 6}, "lag to be an int of at least 6"),
    ("temporal_order", {"steps": 9}, "steps to be an int of at least 10, got 9"),
    ("temporal_order", {"steps": 20, "symbols": 4}, "symbols to be one of 2, 3"),
    ("even_pairs", {"length": 0}, "EvenPairs needs length to be an int of at least 1"),
    ("missing_duplicate", {"length": 1}, "length to be an int of at least 2, got 1"),
    ("binary_addition", {"length": 2}, "length to be an int of at least 3, got 2"),
    ("solve_equation", {"length": True}, "length to be an int of at least 3"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD)
def test_a_bad_hyperparameter_is_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        PROBLEMS[name](**arguments)
