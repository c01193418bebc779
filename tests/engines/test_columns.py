"""Products over columns give what products over rows give, where they are taken."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, cast, close, draw, make

from rnnlab.cell import SplitCell
from rnnlab.cells import Elman
from rnnlab.engines import Deferred, Scan, columns
from rnnlab.wrappers import mixed

SPLIT = [name for name in NAMES if isinstance(make(name), SplitCell)]
ROWS = [name for name in SPLIT if name != "conv_lstm"]


def params_and_carry(name, batch, dtype="float32"):
    params, carry, _ = draw(name, 7, batch)[0]
    return cast(params, "float32"), cast(carry, dtype)


@pytest.mark.parametrize("name", ROWS)
def test_rows_and_a_matrix_pay(name):
    assert columns.pays(make(name), *params_and_carry(name, (2,)))
    params, carry = params_and_carry(name, (2,), "bfloat16")
    narrow = mixed(make(name), compute="bfloat16", carry="bfloat16")
    assert columns.pays(narrow, params, carry)


@pytest.mark.parametrize(
    ("name", "batch"), [("conv_lstm", (2,)), ("lstm", ()), ("lstm", (2, 2))]
)
def test_other_products_do_not(name, batch):
    assert not columns.pays(make(name), *params_and_carry(name, batch))


def test_another_processor_does_not(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not columns.pays(make("lstm"), *params_and_carry("lstm", (2,)))


@pytest.mark.parametrize("name", ROWS)
def test_equal_the_product_and_its_pullback(name):
    cell = make(name)
    params, seen = params_and_carry(name, (4,))
    r, pullback = jax.vjp(lambda seen: cell.recur(params, seen), seen)
    close(columns.recur(cell, params, seen)(seen), r, 1e-6)
    d_r = jax.random.normal(jax.random.key(0), r.shape)
    close(columns.pull_recur(cell, params, seen)(seen, d_r), pullback(d_r)[0], 1e-6)


def test_weights_stand_left_and_rows_right():
    """The point of it, seen in what XLA is given: [4H, H] x [H, B]."""
    cell = make("lstm", 64)
    params, carry = cell.init(jax.random.key(0), 3), cell.initial((8,))
    text = jax.jit(columns.recur(cell, params, carry)).lower(carry).compile().as_text()
    assert "f32[256,8]" in text
    text = jax.jit(lambda carry: cell.recur(params, carry)).lower(carry).compile()
    assert "f32[256,8]" not in text.as_text()


def test_upright_is_the_same_tree():
    tree = {"matrix": jnp.arange(6.0).reshape(2, 3), "vector": jnp.arange(3.0)}
    jax.tree.map(np.testing.assert_array_equal, columns.upright(tree), tree)


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("units", [2, 3, 4, 8])
def test_small_layers_compile_side_by_side(units, rows):
    """XLA aborts on some small products over columns: they are taken over rows."""
    cell = Elman(units)
    x = np.random.default_rng(0).normal(size=(10, rows, 6)).astype(np.float32)

    def loss(engine, params):
        return jnp.sum(engine(cell, params, cell.initial((rows,)), x)[1][-1])

    params = jax.vmap(lambda key: cell.init(key, 6))(
        jax.random.split(jax.random.key(0), 3)
    )
    found, wanted = (
        jax.jit(jax.vmap(jax.grad(lambda params, engine=engine: loss(engine, params))))(
            params
        )
        for engine in (Deferred(), Scan())
    )
    close(found, wanted, 1e-5)
