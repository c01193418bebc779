"""Every engine equals `Loop` on every cell it runs, and refuses what does not fit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import NAMES, H, I, cast, close, draw, grads, make, weighed
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.extend import core

from rnnlab.cell import SplitCell
from rnnlab.cells import LSTM, Elman, GRUBefore
from rnnlab.engines import ENGINES, Chunked, Deferred, Loop, Remat, Scan
from rnnlab.wrappers import mixed

SPLIT = [name for name in NAMES if isinstance(make(name), SplitCell)]
PAIRS = [
    (engine, name)
    for engine in sorted(ENGINES)
    for name in NAMES
    if engine not in ("loop", "cudnn")  # cudnn: float32 on a GPU, see test_cudnn.py
    and isinstance(make(name), ENGINES[engine].runs)
]
ROWS, GRIDS, ALONE = (7, (3,), "float32"), (7, (2, 3), "float64"), (7, (), "float64")
TABLE = [(*pair, *GRIDS) for pair in PAIRS]
TABLE += [(*pair, *ROWS) for pair in PAIRS if pair[0] != "newton"]  # slow to compile
TABLE += [(*pair, *ALONE) for pair in PAIRS if pair[0] in ("deferred", "scan")]
TOLERANCE = {"float64": 1e-10, "float32": 5e-6}


TRACED = []


@functools.partial(jax.jit, static_argnums=(0, 1))
def compiled(engine, cell, inputs, weights):
    TRACED.append((engine, cell))
    return grads(functools.partial(engine, cell), inputs, weights)


@functools.lru_cache
def by_loop(name, steps, batch, dtype):
    with jax.enable_x64(dtype == "float64"):
        runs = functools.partial(Loop(), make(name))
        return grads(runs, *cast(draw(name, steps, batch), dtype))


@pytest.mark.parametrize(("engine", "name", "steps", "batch", "dtype"), TABLE)
def test_equals_loop_in_values_and_gradients(engine, name, steps, batch, dtype):
    with jax.enable_x64(dtype == "float64"):
        inputs, weights = cast(draw(name, steps, batch), dtype)
        actual = compiled(ENGINES[engine](), make(name), inputs, weights)
        close(actual, by_loop(name, steps, batch, dtype), TOLERANCE[dtype])


@settings(max_examples=5, deadline=None, derandomize=True, database=None)
@given(
    name=st.sampled_from(NAMES),
    steps=st.integers(1, 3),
    batch=st.lists(st.integers(1, 3), max_size=2).map(tuple),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_scan_equals_loop_at_any_size(name, steps, batch, sizes):
    inputs, _ = cast(draw(name, steps, batch, sizes=sizes), "float32")
    cell = make(name, sizes[1])
    by_engine = [
        jax.jit(functools.partial(engine, cell))(*inputs) for engine in (Scan(), Loop())
    ]
    close(*by_engine, TOLERANCE["float32"])


@pytest.mark.parametrize("unroll", [2, 10])
def test_unrolled_equals_loop(unroll):
    with jax.enable_x64(True):
        inputs, _ = cast(draw("lstm", 7, ()), "float64")
        actual = jax.jit(functools.partial(Scan(unroll), LSTM(H)))(*inputs)
        close(actual, by_loop("lstm", 7, (), "float64")[1], 1e-10)


@pytest.mark.parametrize("unroll", [0, -1])
def test_bad_unroll_is_named(unroll):
    with pytest.raises(ValueError, match=rf"unroll.*{unroll}"):
        Scan(unroll)


@pytest.mark.parametrize(
    ("engine", "name"),
    [pair for pair in PAIRS if pair[0] != "newton" or pair[1] == "elman"],
)
def test_equal_cells_and_engines_compile_once(engine, name):
    inputs = cast(draw(name, 1, (3,)), "float32")
    compiled(ENGINES[engine](), make(name), *inputs)
    traced, held = len(TRACED), compiled._cache_size()
    compiled(ENGINES[engine](), make(name), *inputs)
    assert (len(TRACED), compiled._cache_size()) == (traced, held)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_engines_are_values(engine):
    first, second = ENGINES[engine](), ENGINES[engine]()
    assert first == second and hash(first) == hash(second)
    assert repr(first).startswith(type(first).__name__)


@pytest.mark.parametrize("name", ["gru_before", "lstm"])
def test_forward_mode_on_scan_agrees_with_reverse_mode(name):
    with jax.enable_x64(True):
        inputs, weights = cast(draw(name, 7, ()), "float64")
        along = cast(draw(name, 7, (), seed=1)[0], "float64")
        grad, _ = compiled(Scan(), make(name), inputs, weights)
        _, slope = jax.jit(
            lambda at, along: jax.jvp(
                lambda a: weighed(Scan()(make(name), *a), weights), (at,), (along,)
            )
        )(inputs, along)
        wanted = sum(jax.tree.leaves(jax.tree.map(np.vdot, grad, along)))
        np.testing.assert_allclose(slope, wanted, rtol=1e-10)


@pytest.mark.parametrize(
    ("engine", "name"), [("scan", "gru_before"), ("deferred", "lstm")]
)
def test_vmap_over_seeds_equals_one_after_the_other(engine, name):
    with jax.enable_x64(True):
        (_, carry, x), weights = cast(draw(name, 7, ()), "float64")
        seeds = [cast(draw(name, 7, (), k)[0][0], "float64") for k in range(3)]
        grad = functools.partial(compiled, ENGINES[engine](), make(name))
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
        actual = jax.vmap(lambda p: grad((p, carry, x), weights))(stacked)
        one_by_one = [grad((p, carry, x), weights) for p in seeds]
        wanted = jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one)
        close(actual, wanted, 1e-10)


@pytest.mark.parametrize("engine", [Scan(), Deferred()])
def test_hessian_is_the_derivative_of_the_gradient(engine):
    cell = LSTM(2)
    with jax.enable_x64(True):
        (params, carry, x), weights = draw("lstm", 3, (), sizes=(1, 2))

        @jax.jit
        def loss(bias):
            outcome = engine(cell, params | {"bias": bias}, carry, x)
            return weighed(outcome, weights)

        bias, step = params["bias"], 1e-5
        grad, hessian = jax.jit(jax.grad(loss)), jax.jit(jax.hessian(loss))(bias)
        rows = [
            (grad(bias + step * e) - grad(bias - step * e)) / (2 * step)
            for e in np.eye(len(bias))
        ]
        assert np.abs(hessian).max() > 1e-3
        np.testing.assert_allclose(hessian, np.stack(rows), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("outer", [lambda f: f, jax.jit])
@pytest.mark.parametrize("part", range(3))
def test_deferred_has_no_forward_mode_and_says_so(part, outer):
    inputs, _ = cast(draw("elman", 1, (3,)), "float32")

    def run(leaf):
        return Deferred()(Elman(H), *inputs[:part], leaf, *inputs[part + 1 :])

    slope = outer(lambda leaf: jax.jvp(run, (leaf,), (leaf,)))
    with pytest.raises(TypeError, match=r"Deferred\(\).*forward-mode.*Scan\(\)"):
        slope(inputs[part])


def test_forward_mode_through_a_compiled_deferred_is_refused_by_jax():
    inputs, _ = cast(draw("elman", 1, (3,)), "float32")
    with pytest.raises(TypeError, match=r"forward-mode.*custom_vjp"):
        jax.jvp(jax.jit(functools.partial(Deferred(), Elman(H))), inputs, inputs)


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("associative", "Linear"),
        ("chunked", "Linear"),
        ("deferred", "Split"),
        ("log_space", "Positive"),
    ],
)
def test_an_engine_names_another_for_other_cells(engine, kind):
    cell = GRUBefore(H)
    inputs, _ = draw("gru_before", 1, (3,))
    wanted = rf"{kind}Cell, got GRUBefore.*{H}.*Scan\(\)"
    with pytest.raises(TypeError, match=wanted):
        ENGINES[engine]()(cell, *inputs)


def test_params_of_other_features_are_named():
    inputs, _ = cast(draw("lstm", 1, (3,)), "float32")
    with pytest.raises(ValueError, match=r"LSTM.*\(1, 3, 4\).*init\(key, 4\)"):
        Scan()(LSTM(H), *inputs[:2], jnp.zeros((1, 3, 4)))


@pytest.mark.parametrize("chunk", [1, 3, 7, 50])
@pytest.mark.parametrize(("kind", "name"), [(Remat, "elman"), (Chunked, "mingru")])
def test_any_chunk_equals_loop(kind, name, chunk):
    with jax.enable_x64(True):
        inputs, weights = cast(draw(name, 7, ()), "float64")
        actual = compiled(kind(chunk), make(name), inputs, weights)
        close(actual, by_loop(name, 7, (), "float64"), 1e-10)


@pytest.mark.parametrize("kind", [Chunked, Remat])
@pytest.mark.parametrize("chunk", [0, -1])
def test_bad_chunk_is_named(kind, chunk):
    with pytest.raises(ValueError, match=rf"{kind.__name__}.*chunk.*{chunk}"):
        kind(chunk)


CHUNKS = [(1, 1), (3, 1), (12, 3), (14, 2), (22, 4), (50, 5), (97, 9), (512, 16)]


@pytest.mark.parametrize(("steps", "chunk"), CHUNKS)
def test_remat_takes_a_divisor_near_the_root_of_any_length(steps, chunk):
    """Or the root, where there is none: of 22 = 2 x 11, and of 97."""
    with jax.enable_x64(True):
        inputs, weights = cast(draw("elman", steps, ()), "float64")
        program = jax.make_jaxpr(functools.partial(Remat(), Elman(H)))(*inputs)
        assert next(scans(program.jaxpr))["length"] == steps // chunk
        actual, wanted = (
            compiled(engine, Elman(H), inputs, weights) for engine in (Remat(), Scan())
        )
        close(actual, wanted, 1e-10)


def held(engine, steps):
    """Returns the bytes that gradients of params and x take of an engine."""
    cell, x = LSTM(32), jnp.zeros((steps, 8, 32))
    params, carry = cell.init(jax.random.key(0), 32), cell.initial((8,))

    def loss(params, x):
        return (engine(cell, params, carry, x)[1] ** 2).sum()

    program = jax.jit(jax.grad(loss, (0, 1))).lower(params, x).compile()
    return program.memory_analysis().temp_size_in_bytes


def test_remat_keeps_little():
    """An eighth of a scan's memory at most, and less than with a remainder."""
    assert held(Remat(), 400) < held(Scan(), 400) / 8
    assert held(Remat(), 512) < held(Remat(chunk=22), 512) / 1.5


def scans(jaxpr):
    """Yields each scan's parameters, also those inside other equations."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params
        for sub in core.jaxprs_in_params(equation.params):
            yield from scans(sub)


def weight_gradients_in_the_backward_loop(engine, name, wrapper=lambda cell: cell):
    """Counts what the reverse loop carries or stacks of the recurrent shape."""
    inputs, weights = cast(draw(name, 7, (2,)), "float32")
    if wrapper is mixed:
        inputs = (cast(inputs[0], "bfloat16"), *inputs[1:])
    recurrent = inputs[0]["recurrent"].shape
    cell = wrapper(make(name))
    differentiate = functools.partial(grads, functools.partial(engine, cell))
    jaxpr = jax.make_jaxpr(differentiate)(inputs, weights)
    reverse = [p["jaxpr"].jaxpr for p in scans(jaxpr.jaxpr) if p["reverse"]]
    assert len(reverse) == 1
    shapes = [v.aval.shape for v in reverse[0].outvars]
    return sum(shape in (recurrent, recurrent[::-1]) for shape in shapes)


@pytest.mark.parametrize("name", SPLIT)
def test_deferred_takes_the_weight_gradient_out_of_the_loop(name):
    assert weight_gradients_in_the_backward_loop(Deferred(), name) == 0
    assert weight_gradients_in_the_backward_loop(Scan(), name) == 1


@pytest.mark.parametrize("name", SPLIT)
def test_casting_narrow_weights_puts_no_gradient_into_the_loop(name):
    assert weight_gradients_in_the_backward_loop(Deferred(), name, mixed) == 0


def zeros(*shape, dtype=jnp.float32):
    return jnp.zeros(shape, dtype)


X = zeros(7, 2, I)
MISFITS = {
    "one axis": (LSTM(H).initial((2,)), zeros(I), ["[T, B, I]", "(3,)"]),
    "no step": (LSTM(H).initial((2,)), zeros(0, 2, I), ["at least 1", "(0, 2, 3)"]),
    "plain tuple": (
        (zeros(2, H), zeros(2, H)), X, ["LSTMCarry(c=", f"got (float32(2, {H}),"]
    ),
    "one array": (zeros(2, H), X, ["LSTMCarry(c=", f"got float32(2, {H});"]),
    "nothing": ((), X, ["LSTMCarry(c=", "got ()"]),
    "other rows": (LSTM(H).initial((4,)), X, ["(7, 2, 3)", "got", f"(4, {H})"]),
    "other units": (
        LSTM(H + 1).initial((2,)), X, [f"LSTM(features={H}", f"(2, {H + 1})"]
    ),
    "no row": (LSTM(H).initial(()), X, ["(7, 2, 3)", f"({H},)"]),
    "rows for more axes": (LSTM(H).initial((3,)), zeros(7, 3, 3, I), [f"(3, {H})"]),
    "more axes": (LSTM(H).initial((2, 2)), X, ["(7, 2, 3)", f"(2, 2, {H})"]),
    "less precise": (
        LSTM(H).initial((2,), jnp.bfloat16), X, ["bfloat16", "float32", "dtype"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("misfit", MISFITS)
@pytest.mark.parametrize("engine", ["deferred", "loop", "remat", "scan", "unrolled"])
def test_what_does_not_fit_is_named(engine, misfit):
    cell = LSTM(H)
    params = cast(draw("lstm", 7, ())[0][0], "float32")
    carry, x, parts = MISFITS[misfit]
    with pytest.raises(ValueError) as error:
        ENGINES[engine]()(cell, params, carry, x)
    for part in parts:
        assert part in str(error.value)


def test_params_of_another_cell_are_named():
    carry, params = LSTM(H).initial((2,)), {"nu": zeros(H), "theta": zeros(H)}
    with pytest.raises(ValueError, match=r"LSTM.*'kernel'.*nu, theta.*init\(key, 3\)"):
        Scan()(LSTM(H), params, carry, X)
