"""What is asked follows from what is given, looked up by hand, row by row."""

import functools

import jax
import numpy as np
import pytest

from rnnlab.problems import (
    Adding,
    Copy,
    DelayedRecall,
    Multiplication,
    Parity,
    RandomPermutation,
    SelectiveCopy,
    TemporalOrder,
    VariableCopy,
    five_bit,
    twenty_bit,
)

ROWS = 200


@functools.cache
def drawn(problem):
    """Returns a draw in NumPy."""
    draw = jax.jit(problem.draw, static_argnums=1)(jax.random.key(0), ROWS)
    return jax.tree.map(np.asarray, draw)


def rows(problem):
    """Returns, row by row, the symbols and the answers that count."""
    x, y, counts = drawn(problem)
    assert (x.sum(-1) == 1).all() and {*np.unique(x)} == {0, 1}
    ids = x.argmax(-1)
    return [
        (ids[:, row].tolist(), y[counts[:, row] > 0, row].tolist())
        for row in range(ROWS)
    ]


@pytest.mark.parametrize(("kind", "of"), [(Adding, np.sum), (Multiplication, np.prod)])
@pytest.mark.parametrize("steps", [2, 3, 50])
def test_one_number_is_marked_in_each_half(kind, of, steps):
    x, y, counts = drawn(kind(steps))
    numbers, marks = x[..., 0], x[..., 1]
    assert x.shape == (steps, ROWS, 2) and (counts == 1).all()
    assert 0 <= numbers.min() and numbers.max() < 1 and {*np.unique(marks)} <= {0, 1}
    assert (marks[: steps // 2].sum(0) == 1).all()
    assert (marks[steps // 2 :].sum(0) == 1).all()
    for row in range(ROWS):
        marked = numbers[marks[:, row] == 1, row]
        np.testing.assert_allclose(y[0, row, 0], of(marked), rtol=1e-6)


@pytest.mark.parametrize("symbols", [2, 3])
def test_orders_are_read_from_the_symbols(symbols):
    seen = set()
    for ids, (order,) in rows(TemporalOrder(30, symbols)):
        bits = [str(symbol) for symbol in ids if symbol < 2]
        assert len(bits) == symbols and int("".join(bits), 2) == order
        seen.add(order)
    assert len(seen) == 2**symbols


def test_temporal_order_stands_where_it_should():
    for ids, _ in rows(TemporalOrder(30, 3)):
        places = [place for place, symbol in enumerate(ids) if symbol < 2]
        for place, (low, high) in zip(places, [(3, 6), (9, 12), (18, 21)], strict=True):
            assert low <= place < high


@pytest.mark.parametrize("steps", [2, 20])
def test_the_first_symbol_is_asked_for(steps):
    for ids, answers in rows(RandomPermutation(steps, alphabet=6)):
        assert len(ids) == steps and answers == ids[:1] and ids[0] < 2
        assert all(2 <= symbol < 6 for symbol in ids[1:])


@pytest.mark.parametrize("steps", [1, 9])
def test_parity_counts_the_ones(steps):
    x, y, counts = drawn(Parity(steps))
    assert {*np.unique(x)} == {-1, 1} and (counts == 1).all()
    for row in range(ROWS):
        ones = 0
        for t in range(steps):
            ones += x[t, row, 0] == 1
            assert y[t, row] == ones % 2


@pytest.mark.parametrize("lag", [1, 5, 7])
def test_the_marked_symbol_is_asked_for(lag):
    x, y, _ = drawn(DelayedRecall(8, lag, symbols=4))
    symbols, marks = x[..., :4], x[..., 4]
    assert (symbols.sum(-1) == 1).all()
    np.testing.assert_array_equal(marks[7 - lag], 1)
    assert marks.sum() == ROWS
    np.testing.assert_array_equal(y[0], symbols[7 - lag].argmax(-1))


@pytest.mark.parametrize(
    "problem", [Copy(1, 3), Copy(6, 3), five_bit(4), twenty_bit(3)]
)
def test_items_come_again(problem):
    lag, n, blank = problem.lag, problem.items, problem.symbols
    for ids, answers in rows(problem):
        assert ids[n:] == [blank] * (lag - 1) + [blank + 1] + [blank] * n
        assert answers == [blank] * (n + lag) + ids[:n]
        assert max(ids[:n]) < blank


def test_bits_of_the_memory_problems():
    assert five_bit(50) == Copy(50, items=5, symbols=2)  # 32 sequences
    assert twenty_bit(50) == Copy(50, items=10, symbols=5)


def test_items_come_again_after_any_lag():
    problem, lags = VariableCopy(4, items=2, symbols=3), set()
    for ids, answers in rows(problem):
        lag = ids.index(4) - 1
        assert ids[2:] == [3] * (lag - 1) + [4] + [3] * (2 + 4 - lag)
        assert answers == [3] * (2 + lag) + ids[:2]
        lags.add(lag)
    assert lags == {1, 2, 3, 4}


@pytest.mark.parametrize("lag", [3, 8])
def test_items_are_selected(lag):
    places = set()
    for ids, answers in rows(SelectiveCopy(lag, items=3, symbols=5)):
        assert len(ids) == lag + 3 and ids[lag:] == [6] * 3
        assert [symbol for symbol in ids[:lag] if symbol != 5] == answers
        places |= {place for place in range(lag) if ids[place] != 5}
    assert places == {*range(lag)}
