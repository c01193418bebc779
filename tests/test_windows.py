"""Windows of inputs, and the cell that reads them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_cell import near
from sizes import H, I

from rnnlab.cells.qrnn import QRNN
from rnnlab.engines import Associative
from rnnlab.windows import windows


def test_windows_are_the_last_inputs():
    x = np.arange(1.0, 11).reshape(5, 1, 2)
    by_hand = [
        [0, 0, 0, 0, 1, 2],
        [0, 0, 1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6],
        [3, 4, 5, 6, 7, 8],
        [5, 6, 7, 8, 9, 10],
    ]
    np.testing.assert_array_equal(windows(jnp.array(x), 3)[:, 0], by_hand)
    np.testing.assert_array_equal(windows(jnp.array(x), 1), x)


@pytest.mark.parametrize("cut", [1, 4])
def test_a_qrnn_on_two_segments_equals_one_on_the_whole(cut):
    cell, size = QRNN(H), 3
    x = jax.random.normal(jax.random.key(0), (7, 2, I))
    params = cell.init(jax.random.key(1), size * I)
    run = jax.jit(functools.partial(Associative(), cell))
    whole = run(params, cell.initial((2,)), windows(x, size))
    before = jnp.concatenate([jnp.zeros((size - 1, 2, I)), x[:cut]])[1 - size :]
    carry, first = run(params, cell.initial((2,)), windows(x[:cut], size))
    carry, second = run(params, carry, windows(x[cut:], size, before))
    near((carry, np.concatenate([first, second])), whole, 1e-5, 1e-6)


@pytest.mark.parametrize("size", [0, 1.5, True])
def test_a_bad_window_is_named(size):
    with pytest.raises(ValueError, match=rf"size.*{size}.*windows\(x, 2\)"):
        windows(jnp.zeros((3, 2, I)), size)


@pytest.mark.parametrize(
    "before", [jnp.zeros((1, 2, I)), jnp.zeros((2, 2, I), jnp.bfloat16)]
)
def test_an_end_that_does_not_fit_is_named(before):
    wanted = rf"float32\[2, 2, {I}\], got {before.dtype}.*last 2 steps"
    with pytest.raises(ValueError, match=wanted):
        windows(jnp.zeros((5, 2, I)), 3, before)
