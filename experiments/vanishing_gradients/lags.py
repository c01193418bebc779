"""How far back the gradient reaches, cell by cell: the figure of the whole subject.

Claim: the gradient by the state fades exponentially with the lag in a tanh network, and
does not in networks made for it: Hochreiter et al., Gradient flow in recurrent nets,
2001, https://www.bioinf.jku.at/publications/older/ch7.pdf; Pascanu, Mikolov, Bengio,
2013, https://arxiv.org/abs/1211.5063.

Command: `python -m launch.study --study=lags --workdir=DIR`

Figures: `lags.png`, the norm by lag at the start and after training; `training.png`,
the same over training, lag by update.
"""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.vanishing_gradients import comparison, figures
from experiments.vanishing_gradients.comparison import adam, points_of, word
from experiments.vanishing_gradients.network import Network, learner
from experiments.vanishing_gradients.study import Findings, Study, by
from rnnlab.cell import Params
from rnnlab.cells import GRU, IRNN, LRU, LSTM, Elman, LayerNormLSTM
from rnnlab.options import option
from rnnlab.probes.gradients import by_carry, by_lag, rate
from rnnlab.problems import Adding
from rnnlab.training.grid import Group, Result
from rnnlab.training.replicas import Knobs

CELLS = {
    "tanh": Elman,
    "IRNN": IRNN,
    "LSTM": LSTM,
    "GRU": GRU,
    "layer norm LSTM": LayerNormLSTM,
    "LRU": functools.partial(LRU, smallest=0.9, largest=0.999),
}
ROWS = 32  # sequences that a measurement is the mean of


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """Six cells on the adding problem."""

    updates: int = option(3000, "of each run", above=0)
    every: int = option(300, "updates between two measurements", above=0)


def protocol(config: Config) -> str:
    """Returns what is done."""
    return (
        f"The adding problem at T = {config.lengths}: one layer of {config.features}"
        f" units, a linear output at the last step, {adam(1.0)[0]} at"
        f" {config.learning_rates}, {config.batch_size} new sequences an update,"
        f" {config.updates:,} updates, {config.seeds} seeds. Measured on {ROWS}"
        f" sequences, every {config.every} updates: the norm of the loss's gradient by"
        f" the state (all that a cell carries) k steps before the end, as a multiple"
        f" of that one step before the end; the geometric mean over sequences."
    )


def reach(network: Network, params: Params, key: jax.Array, knobs: Knobs) -> jax.Array:
    """Returns the logarithm, base 10, of the norm at lags 1 to T - 1 beside lag 1.

    It is NaN from where a norm is zero: too small for its number type.
    """
    del knobs
    draw = network.problem.draw(key, ROWS)

    def loss(last, y):
        return network.problem.loss(network.read(params, y), draw)

    own = params["cell"]
    start = network.cell.start(own, (ROWS,))
    found = by_carry(loss, network.runs_on(), network.cell, own, start, draw.x)
    norms = by_lag(found)[1:-1]  # the last carry is in no answer, the first is given
    logs = jnp.log10(norms) - jnp.log10(norms[0])
    return jnp.mean(jnp.where((norms > 0) & (norms[0] > 0), logs, jnp.nan), axis=-1)


def groups(config: Config) -> Sequence[Group]:
    """Returns a group for each cell and length."""
    found = []
    for steps in config.steps():
        for name, cell in CELLS.items():
            network = Network(cell(config.features), Adding(steps), config.batch_size)
            points = points_of(config, steps=steps, cell=name)
            measure = functools.partial(reach, network)
            trained = learner(network, adam(1.0)[1], measure=measure)
            title = f"{name}, T = {steps}"
            found.append(Group(title, trained, points, config.updates, config.every))
    return found


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns the norms by lag, how fast they fade, and what was learned."""
    steps, learning_rate = config.steps()[-1], config.rates()[0]
    panels = {"at initialisation": {}, "after training": {}}
    over_training, rows, fades = {}, [], [{}, {}]
    for (length, lr, name), runs in by(results, "steps", "rate", "cell").items():
        first, last = (
            np.array([run.measured[k][1] for run in runs], float) for k in (0, -1)
        )
        factors = [np.asarray(rate(jnp.asarray(10**logs.T))) for logs in (first, last)]
        before, after = (float(np.median(factor)) for factor in factors)
        losses = comparison.spread([run.curve[-1][1] for run in runs], ".4f")
        rows.append(
            (name, str(length), f"{lr:g}", f"{before:.4f}", f"{after:.4f}", losses)
        )
        if (length, lr) == (steps, learning_rate):
            panels["at initialisation"][name] = 10**first
            panels["after training"][name] = 10**last
            over_training[name] = runs[0].measured
            fades[0][name], fades[1][name] = before, after
    pictures = {
        "lags": (
            figures.by_lag(panels, "norm beside that at lag 1", first=1),
            f"Norm of the gradient by the state, T = {steps}; median and range of"
            f" {config.seeds} seeds.",
        )
    }
    for name, measured in over_training.items():
        picture = figures.heat(
            np.array([logs for _, logs in measured], float).T,
            [at for at, _ in measured],
            list(range(1, steps)),
            "updates",
            "lag (steps)",
            "norm beside lag 1 (power of ten)",
            centre=0.0,
        )
        file = f"training-{name.replace(' ', '-').lower()}"
        pictures[file] = picture, f"{name}: how far back the gradient reaches, seed 0."
    holds = [factors["tanh"] == min(factors.values()) for factors in fades]
    said = (
        ", ".join(f"{name} {factor:.3f}" for name, factor in factors.items())
        for factors in fades
    )
    verdict = "{}: factor a step at the start, {}; after training, {}.".format(
        word(holds), *said
    )
    head = ("cell", "T", "rate", "factor a step, start", "after training", "loss")
    return Findings(head, rows, verdict, pictures)


STUDY = Study(
    "The norm of the gradient, by lag",
    "The gradient by the state fades exponentially with the lag in a tanh network, and"
    " more slowly in networks with gates or a linear recurrence: at the start, and once"
    " they have learned what lies far back.",
    "https://arxiv.org/abs/1211.5063",
    protocol,
    groups,
    findings,
)
