"""A batch spread over eight devices stays there: same numbers, only weights are sent.

JAX has as many CPU devices as it was told of before it began, so all cases run in one
process of their own: `python -m tests.engines.test_sharding`.
"""

import functools
import json
import os
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnlab.cell import LinearCell, PositiveCell
from rnnlab.cells import CELLS
from rnnlab.engines import ENGINES, Loop

T, B, I, H = 3, 16, 3, 5  # noqa: E741
DEVICES = 8
LINEAR = {LinearCell: "mingru", PositiveCell: "positive_mingru"}
CELL = {  # cudnn: needs a GPU
    engine: LINEAR.get(kind.runs, "lstm")
    for engine, kind in ENGINES.items()
    if engine != "cudnn"
}
KINDS = {"auto": AxisType.Auto, "explicit": AxisType.Explicit}
CASES = [
    (kind, engine, cell)
    for kind in KINDS
    for engine, cell in [*sorted(CELL.items()), ("deferred", "gru")]
]
PLACES = (P(), P("data"), P(None, "data"))  # of params, carry and x; of y as of x


@functools.cache
def inputs(name):
    """Returns params, carry and x in double precision."""
    rng, cell = np.random.default_rng(0), CELLS[name](H)
    shapes = jax.eval_shape(
        lambda key: (cell.init(key, I), cell.initial((B,)), jnp.zeros((T, B, I))),
        jax.random.key(0),
    )
    return jax.tree.map(lambda s: rng.normal(size=s.shape), shapes)


def grads(engine, cell, *inputs):
    """Returns the gradients of params, carry and x, and the outcome."""

    def loss(*inputs):
        outcome = engine(cell, *inputs)
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(outcome)), outcome

    return jax.grad(loss, (0, 1, 2), has_aux=True)(*inputs)


@functools.cache
def on_one_device(name):
    return jax.jit(functools.partial(grads, Loop(), CELLS[name](H)))(*inputs(name))


def collectives(compiled):
    """Returns what is sent between devices, and how often in a loop."""
    lines = re.findall(
        r"(all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)"
        r"(?:-start)?\((.*)",
        compiled.as_text(),
    )
    looped = sum("while/body" in rest for _, rest in lines)
    return sorted({name for name, _ in lines}), looped


def spread_out(kind, engine, name):
    """Returns what a case gives, as plain data."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(KINDS[kind],))
    places = [NamedSharding(mesh, spec) for spec in PLACES]
    args = [jax.device_put(*pair) for pair in zip(inputs(name), places, strict=True)]
    function = functools.partial(grads, ENGINES[engine](), CELLS[name](H))
    compiled = jax.jit(function).lower(*args).compile()
    # Not blocked on, calls on several CPU devices of few cores wait for each other.
    actual = jax.block_until_ready(compiled(*args))
    wanted = on_one_device(name)
    errors = jax.tree.map(lambda a, w: np.max(np.abs(np.array(a) - w)), actual, wanted)
    (d_params, d_carry, d_x), (last, y) = actual
    parts = zip((d_params, d_carry, d_x, last, y), (0, 1, 2, 1, 2), strict=True)
    stays = [
        leaf.sharding.is_equivalent_to(places[i], leaf.ndim)
        for part, i in parts
        for leaf in jax.tree.leaves(part)
    ]
    sent, looped = collectives(compiled)
    return {
        "error": float(max(jax.tree.leaves(errors))),
        "least": min(float(np.abs(a).max()) for a in jax.tree.leaves(wanted)),
        "stays": stays,
        "sent": sent,
        "looped": looped,
    }


def merged():
    """Returns what is sent where time and batch become one axis."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    x = jax.device_put(np.ones((T, B, I)), NamedSharding(mesh, PLACES[2]))
    product = jax.jit(lambda x: x.reshape(T * B, I).T @ x.reshape(T * B, I))
    return collectives(product.lower(x).compile())[0]


FORCED = f"--xla_force_host_platform_device_count={DEVICES}"


@functools.cache  # also where it failed
def process():
    """Returns the process with eight devices, ended."""
    root = pathlib.Path(__file__).parents[2]
    env = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "XLA_FLAGS": " ".join([os.environ.get("XLA_FLAGS", ""), FORCED]),
    }
    command = [sys.executable, "-m", "tests.engines.test_sharding"]
    return subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, timeout=300
    )


def results():
    """Returns what the process gave for each case, by kind, engine and cell."""
    assert process().returncode == 0, process().stderr
    return json.loads(process().stdout)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_equals_one_device_and_sends_only_weight_gradients(case):
    result = results()["-".join(case)]
    assert result["error"] < 1e-10 and result["least"] > 1e-3
    assert len(result["stays"]) > 4 and all(result["stays"])
    assert result["sent"] == ["all-reduce"]


@pytest.mark.parametrize("kind", KINDS)
def test_deferred_sends_the_recurrent_gradient_once_and_scan_each_step(kind):
    assert results()[f"{kind}-deferred-lstm"]["looped"] == 0
    assert results()[f"{kind}-scan-lstm"]["looped"] > 0


def test_what_is_gathered_would_be_seen():
    assert "all-gather" in results()["merged"]


if __name__ == "__main__":
    json.dump(
        {"merged": merged()} | {"-".join(case): spread_out(*case) for case in CASES},
        sys.stdout,
    )
