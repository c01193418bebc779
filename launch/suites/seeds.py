"""Seeds side by side in one program, beside one seed, and beside plain flax."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.vanishing_gradients.network import Network, clipped_sgd, learner
from launch.measuring.outcome import Measurement, Outcome, measurement
from launch.measuring.turns import Run, in_turns
from rnnlab.cell import Cell
from rnnlab.cells import GRU, LSTM, Elman
from rnnlab.problems import Adding, Problem, TemporalOrder
from rnnlab.training.replicas import advance, start

SECONDS = 0.5  # what each side gets of a turn
UPDATES = 5  # of a call
SEEDS = (1, 4, 16)
CELLS = {Elman: nn.SimpleCell, LSTM: nn.OptimizedLSTMCell, GRU: nn.GRUCell}


class Case(NamedTuple):
    """A network and what it learns."""

    cell: Cell[Any]
    problem: Problem
    batch: int


CASES = (
    Case(Elman(50), TemporalOrder(100), 20),
    Case(Elman(50), TemporalOrder(50), 20),
    Case(LSTM(64), Adding(100), 32),
    Case(GRU(64), Adding(100), 32),
)


def measure(repeats: int, cases: Sequence[Case] = CASES) -> Outcome:
    """Returns updates a second, and how many times those of one seed and of flax."""
    rows, measurements = [], []
    for case in cases:
        more_rows, more = compare(case, repeats)
        rows += more_rows
        measurements += more
    lines = [
        f"One layer and a linear output, SGD with the gradient clipped by its norm, new"
        f" sequences drawn in each update, float32: updates a second of all seeds"
        f" together, beside one seed, and beside the same update written with flax's"
        f" `nn.RNN`, one seed after the other. Medians of {repeats} turns.",
        "",
        "| cell | problem | batch | seeds | updates/s | of one seed | of flax |",
        "|---|---|--:|--:|--:|--:|--:|",
        *rows,
    ]
    return Outcome("\n".join(lines), tuple(measurements))


def compare(case: Case, repeats: int) -> tuple[list[str], list[Measurement]]:
    """Returns a row for each number of seeds, and as data."""
    sides = {count: side_by_side(case, count) for count in SEEDS}
    taken = in_turns({**sides, "flax": plain(case)}, repeats, SECONDS)
    rates = {
        name: UPDATES * (1 if name == "flax" else name) / seconds
        for name, seconds in taken.items()
    }
    named = {"cell": str(case.cell), "problem": str(case.problem), "B": case.batch}
    rows = [
        f"| {case.cell} | {case.problem} | {case.batch} | {count}"
        f" | {np.median(rates[count]):,.0f}"
        f" | {np.median(rates[count] / rates[1]):.2f}"
        f" | {np.median(rates[count] / rates['flax']):.2f} |"
        for count in SEEDS
    ]
    return rows, [
        measurement(
            {**named, "seeds": count}, "times flax", rates[count] / rates["flax"]
        )
        for count in SEEDS
    ]


def side_by_side(case: Case, count: int) -> Run:
    """Returns some updates of this project's, of `count` seeds at once."""
    network = Network(case.cell, case.problem, case.batch)
    trained = learner(network, clipped_sgd)
    knobs = {"rate": jnp.full(count, 0.01), "clip": jnp.full(count, 1.0)}
    runs = start(trained, jnp.arange(count), knobs)

    def run():
        nonlocal runs
        runs, loss = advance(trained, UPDATES, runs)
        return loss.block_until_ready()

    return run


class Model(nn.Module):
    """The same in flax linen: a layer, and what is said of its last output."""

    cell: Callable[[int], Any]
    features: int
    outputs: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns [1, B, O] from [T, B, I]."""
        y = nn.RNN(self.cell(self.features), time_major=True)(x)
        return nn.Dense(self.outputs)(y[-1:])


def plain(case: Case) -> Run:
    """Returns as many updates of one seed, as flax's users write them."""
    problem = case.problem
    features = case.cell.features
    model = Model(CELLS[type(case.cell)], features, problem.outputs)
    optimizer = clipped_sgd({"rate": 0.01, "clip": 1.0})
    draw = jax.eval_shape(lambda: problem.draw(jax.random.key(0), case.batch))
    params = model.init(jax.random.key(0), jnp.zeros(draw.x.shape))

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, key):
        params, memory = state
        draw = problem.draw(key, case.batch)
        value, grads = jax.value_and_grad(
            lambda params: problem.loss(model.apply(params, draw.x), draw)
        )(params)
        changes, memory = optimizer.update(grads, memory, params)
        return (optax.apply_updates(params, changes), memory), value

    keys = list(jax.random.split(jax.random.key(1), UPDATES))
    state = params, optimizer.init(params)

    def run():
        nonlocal state
        for key in keys:
            state, value = update(state, key)
        return value.block_until_ready()

    return run
