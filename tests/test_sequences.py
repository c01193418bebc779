"""Lengths, masks and resets: every cell on every engine equals row after row."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, H, I, cast, draw, grads, make
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.cell import LinearCell, SplitCell
from rnnlab.cells import LSTM, Elman, MinGRU
from rnnlab.engines import ENGINES, Associative, Deferred, Scan
from rnnlab.sequences import before, flip, run
from rnnlab.wrappers import masked

T, B = 6, 4
PAIRS = [
    (engine, name)
    for engine in sorted(ENGINES)
    for name in NAMES
    if engine != "cudnn"  # takes no marks, see engines/test_cudnn.py
    and isinstance(make(name), ENGINES[engine].runs)
    and (engine != "newton" or name in ("gru_before", "lru"))  # slow to compile
]
MARKS = np.array([  # a row of the batch a line: s begins anew, . does not count
    "-s-s--",
    "......",
    "s---..",
    ".-.S-s",
]).view("U1").reshape(B, T).T  # fmt: skip
RESET = (MARKS == "s") | (MARKS == "S")  # S: begins anew and does not count
VALID = (MARKS != ".") & (MARKS != "S")


def inputs_of(name):
    """Returns params, carry and x, NaN where it does not count, and loss weights."""
    (params, carry, x), weights = draw(name, T, (B,))
    counts = VALID.reshape(T, B, *(1,) * (x.ndim - 2))
    return (params, carry, np.where(counts, x, np.nan)), weights


def differentiate(runs, name):
    """Returns the gradients of params, carry and x, and the outcome."""
    runs = functools.partial(runs, make(name))
    return jax.jit(functools.partial(grads, runs))(*inputs_of(name))


@functools.lru_cache
def by_rows(name):
    """The definition: each row alone, a step at a time, its marks known in advance."""

    def runs(cell, params, carry, x):
        lasts, outputs = [], []
        for b in range(B):
            row = jax.tree.map(lambda leaf, b=b: leaf[b], carry)
            outputs.append([])
            for t in range(T):
                y = jnp.zeros((*x.shape[2:-1], H))
                if RESET[t, b]:
                    row = cell.initial((), x.dtype)
                if VALID[t, b]:
                    row, y = cell.step(params, row, cell.project(params, x[t, b]))
                outputs[-1].append(y)
            lasts.append(row)
        last = jax.tree.map(lambda *rows: jnp.stack(rows), *lasts)
        return last, jnp.swapaxes(jnp.array(outputs), 0, 1)

    return differentiate(runs, name)


@pytest.mark.parametrize(("engine", "name"), PAIRS)
def test_equals_row_after_row_in_values_and_gradients(engine, name):
    with jax.enable_x64(True):
        runs = functools.partial(
            run, ENGINES[engine](), valid=jnp.array(VALID), reset=jnp.array(RESET)
        )
        actual, wanted = differentiate(runs, name), by_rows(name)
    assert jax.tree.structure(actual) == jax.tree.structure(wanted)
    for a, w in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == w.dtype and np.isfinite(w).all()
        np.testing.assert_allclose(a, w, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_a_masked_cell_keeps_its_structure_and_is_a_value(name):
    cell = make(name)
    for kind in (SplitCell, LinearCell):
        assert isinstance(masked(cell), kind) == isinstance(cell, kind)
    assert masked(cell) == masked(make(name)) != masked(make(name, H + 1))
    assert hash(masked(cell)) == hash(masked(make(name)))


LENGTHS = np.array([6, 0, 3, 1])


@pytest.mark.parametrize("engine", [Scan(), Deferred()])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_lengths_are_a_mask_and_change_no_dtype(engine, dtype):
    (params, carry, x), _ = inputs_of("lstm")
    params, carry, x = jax.tree.map(
        lambda a: jnp.asarray(np.nan_to_num(a), dtype), (params, carry, x)
    )
    cell = LSTM(H)
    last, y = run(engine, cell, params, carry, x, lengths=jnp.array(LENGTHS))
    assert {leaf.dtype for leaf in jax.tree.leaves((last, y))} == {jnp.dtype(dtype)}
    for b, length in enumerate(LENGTHS):
        row = jax.tree.map(lambda leaf, b=b: leaf[b], carry)
        np.testing.assert_array_equal(y[length:, b], 0)
        if length:
            row, out = Scan()(cell, params, row, x[:length, b])
            np.testing.assert_allclose(
                np.float32(y[:length, b]), np.float32(out), atol=0.02, rtol=0.02
            )
        for a, w in zip(jax.tree.leaves(last), jax.tree.leaves(row), strict=True):
            np.testing.assert_allclose(
                np.float32(a[b]), np.float32(w), atol=0.02, rtol=0.02
            )


def test_any_number_of_batch_axes():
    cell = Elman(H)
    params = cell.init(jax.random.key(0), I)
    x = jax.random.normal(jax.random.key(1), (T, 2, 2, I))
    lengths = jnp.array(LENGTHS).reshape(2, 2)
    last, y = run(Deferred(), cell, params, cell.initial((2, 2)), x, lengths=lengths)
    flat = run(
        Deferred(),
        cell,
        params,
        cell.initial((4,)),
        x.reshape(T, 4, I),
        lengths=lengths.reshape(4),
    )
    np.testing.assert_allclose(last.reshape(4, H), flat[0], atol=1e-6)
    np.testing.assert_allclose(y.reshape(T, 4, H), flat[1], atol=1e-6)


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(
    name=st.sampled_from(["elman", "lstm", "mingru"]),
    engine=st.sampled_from([Scan(), Deferred(), Associative()]),
    steps=st.integers(1, 4),
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=3),
)
def test_any_lengths_equal_each_row_cut_to_its_own(name, engine, steps, lengths):
    if not isinstance(make(name), engine.runs):
        engine = Scan()
    lengths = [min(length, steps) for length in lengths]
    rows = len(lengths)
    (params, carry, x), _ = cast(draw(name, steps, (rows,)), "float32")
    last, y = run(engine, make(name), params, carry, x, lengths=jnp.array(lengths))
    for b, length in enumerate(lengths):
        row = jax.tree.map(lambda leaf, b=b: leaf[b], carry)
        out = np.zeros((0, H))
        if length:
            row, out = Scan()(make(name), params, row, x[:length, b])
        np.testing.assert_array_equal(y[length:, b], 0)
        np.testing.assert_allclose(y[:length, b], out, rtol=1e-5, atol=1e-6)
        for a, w in zip(jax.tree.leaves(last), jax.tree.leaves(row), strict=True):
            np.testing.assert_allclose(a[b], w, rtol=1e-5, atol=1e-6)


def test_flip_turns_each_row_within_its_length():
    x = np.arange(T * B).reshape(T, B)
    flipped = np.asarray(flip(jnp.array(x), jnp.array(LENGTHS)))
    for b, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(flipped[:length, b], x[:length, b][::-1])
        np.testing.assert_array_equal(flipped[length:, b], x[length:, b])
    np.testing.assert_array_equal(flip(jnp.array(x)), x[::-1])
    np.testing.assert_array_equal(flip(flip(jnp.array(x), LENGTHS), LENGTHS), x)


def test_before():
    marks = before(jnp.array([[2, 0]]), 3)
    np.testing.assert_array_equal(marks[:, 0].T, [[1, 1, 0], [0, 0, 0]])


BAD = {
    "too long": ({"lengths": [1, 2, 3, 7]}, ["lengths", "T=6", "7"]),
    "negative": ({"lengths": [1, 2, -3, 6]}, ["lengths", "T=6", "-3"]),
    "other rows": ({"lengths": [1, 2]}, ["lengths", "[4]", "[2]"]),
    "not whole": ({"lengths": [1.0, 2, 3, 4]}, ["lengths", "integer", "float32"]),
    "batch first": ({"valid": np.ones((B, T), bool)}, ["valid", "[6, 4]", "[4, 6]"]),
    "no marks": ({"reset": np.ones((T, B))}, ["reset", "bool", "float32"]),
    "both": (
        {"lengths": [1] * B, "valid": np.ones((T, B), bool)}, ["lengths", "valid"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_bad_marks_are_named(bad):
    marks, parts = BAD[bad]
    cell = MinGRU(H)
    with pytest.raises(ValueError) as error:
        run(
            Scan(),
            cell,
            cell.init(jax.random.key(0), I),
            cell.initial((B,)),
            jnp.zeros((T, B, I)),
            **{name: jnp.array(value) for name, value in marks.items()},
        )
    for part in parts:
        assert part in str(error.value)
