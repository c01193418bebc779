"""What helps a plain tanh network to learn what lies far back: repairs, one by one.

Claim: of the ways to mend vanishing and exploding gradients that Pascanu, Mikolov,
Bengio, 2013, https://arxiv.org/abs/1211.5063, and others since have proposed, clipping
mends the exploding ones alone; what carries the gradient back (Omega, a first matrix
with a radius near 1, gates, linear or unitary recurrences) makes the difference.

Command: `python -m launch.study --study=repairs --workdir=DIR`

Figure: `solved.png`, the updates that each repair takes.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.vanishing_gradients import comparison, figures
from experiments.vanishing_gradients.chrono import chrono
from experiments.vanishing_gradients.comparison import (
    Comparison,
    Variant,
    at_best,
    quality,
)
from experiments.vanishing_gradients.network import Init
from experiments.vanishing_gradients.study import Findings, Study
from rnnlab import cells, initializers
from rnnlab.cell import Params
from rnnlab.options import option
from rnnlab.problems import TemporalOrder
from rnnlab.training.grid import Result
from rnnlab.training.optimizers import clip_each
from rnnlab.training.replicas import Knobs

MOMENTUM = 0.9
PLAIN = "base (clip norm 1)"
CARRIES = ("Omega", "start: orthogonal", "start: identity", "LSTM", "GRU", "LRU")


@dataclasses.dataclass(frozen=True)
class Config(comparison.Config):
    """A tanh network of Glorot matrices, and all that is to mend it."""

    lengths: str = option("50", "T of temporal order", free=True)
    features: int = option(50, "units", above=0)
    batch_size: int = option(20, "sequences of an update", above=0)
    learning_rates: str = option("1e-2", "of SGD", free=True)
    updates: int = option(5000, "the most that a run may have", above=0)
    every: int = option(250, "updates between two looks at the error", above=0)


def sgd(
    *before: optax.GradientTransformation,
) -> Callable[[Knobs], optax.GradientTransformation]:
    """Returns SGD with momentum after what is done to the gradient."""
    return lambda knobs: optax.chain(*before, optax.sgd(knobs["rate"], MOMENTUM))


def begun(init: initializers.Init) -> Callable[[int], Init]:
    """Returns, for any length, the start by an initializer of recurrent matrices."""

    def at(steps: int) -> Init:
        del steps

        def start(key: jax.Array, params: Params, knobs: Knobs) -> Params:
            del knobs
            return {
                **params,
                "cell": initializers.recurrent(init, key, params["cell"]),
            }

        return start

    return at


def slow(steps: int) -> Init:
    """Returns the start of leaky units that forget in half the length."""

    def start(key: jax.Array, params: Params, knobs: Knobs) -> Params:
        del knobs
        times = jnp.full_like(params["cell"]["log_tau"], jnp.log(steps / 2))
        glorot = GLOROT(steps)(key, params, {})["cell"]
        return {**params, "cell": {**glorot, "log_tau": times}}

    return start


GLOROT = begun(jax.nn.initializers.glorot_uniform())
tanh = partial(Variant, cells.Elman)
VARIANTS = {
    PLAIN: tanh(GLOROT),
    "no clipping": tanh(GLOROT, sgd()),
    "clip value 0.1": tanh(GLOROT, sgd(optax.clip(0.1))),
    "clip each array, 1": tanh(GLOROT, sgd(clip_each(1.0))),
    "clip adaptively, 0.1": tanh(GLOROT, sgd(optax.adaptive_grad_clip(0.1))),
    "gradient noise 0.1": tanh(
        GLOROT,
        sgd(optax.clip_by_global_norm(1.0), optax.add_noise(0.01, 0.55, key=0)),
    ),
    "Omega": tanh(GLOROT, omega="paper"),
    "Omega, exact": tanh(GLOROT, omega="exact"),
    "start: He": tanh(begun(jax.nn.initializers.he_normal())),
    "start: orthogonal": tanh(),
    "start: identity": tanh(begun(initializers.identity())),
    "start: half identity": tanh(begun(initializers.identity(0.5))),
    "start: smart tanh": tanh(begun(initializers.sparse())),
    "start: ring": tanh(begun(initializers.rotations(0.99))),
    "relu": Variant(partial(cells.Elman, activation="relu"), GLOROT),
    "leaky relu": Variant(partial(cells.Elman, activation="leaky_relu"), GLOROT),
    "IRNN": Variant(cells.IRNN),
    "skip over time: leaky units": Variant(cells.CTRNN, slow),
    "LSTM, forget bias 0": Variant(partial(cells.LSTM, forget_bias=0.0)),
    "LSTM": Variant(cells.LSTM),
    "LSTM, chrono": Variant(cells.LSTM, chrono(lambda steps: steps)),
    "LSTM, layer norm": Variant(cells.LayerNormLSTM),
    "LSTM, batch norm": Variant(cells.BatchNormLSTM),
    "GRU": Variant(cells.GRU),
    "unitary": Variant(cells.UnitaryRNN),
    "antisymmetric": Variant(cells.AntisymmetricRNN),
    "LRU": Variant(partial(cells.LRU, smallest=0.9, largest=0.999)),
}
COMPARISON = Comparison(
    {"temporal order": TemporalOrder},
    VARIANTS,
    (
        f"SGD with momentum {MOMENTUM}, gradient clipped to norm 1 unless said,",
        sgd(optax.clip_by_global_norm(1.0)),
    ),
)


def findings(config: Config, results: Sequence[Result]) -> Findings:
    """Returns which repairs solve it, the quickest first, and what became of it."""
    best, (problem, *_) = at_best(results), COMPARISON.asked(config)
    names = sorted(COMPARISON.variants, key=lambda name: quality(best[problem, name]))
    solved = {
        name: float(np.mean([run.solved for run in best[problem, name]]))
        for name in names
    }
    carried = np.mean([solved[name] for name in CARRIES if name in solved])
    clipped = np.mean([solved[name] for name in solved if name.startswith("clip")])
    said = "; ".join(name for name in names if solved[name] == 1) or "none"
    begin = "Reproduced" if carried > 0.5 > clipped else "Not reproduced"
    verdict = (
        f"{begin}: at {problem}, of the runs with other clipping alone {clipped:.0%}"
        f" were solved, and {carried:.0%} of those with what carries the gradient back"
        f" ({'; '.join(CARRIES)}); all runs were solved with: {said}."
    )
    found = COMPARISON.findings(config, results, verdict)
    order = {name: place for place, name in enumerate(names)}
    taken = {
        name: [run.updates if run.solved else None for run in best[problem, name]]
        for name in names
    }
    picture = figures.dots(taken, "updates until solved", log=True)
    caption = f"{problem}: updates until solved, a dot a seed, the median a bar."
    return dataclasses.replace(
        found,
        rows=sorted(found.rows, key=lambda row: order[row[1]]),
        figures={"solved": (picture, caption)},
    )


STUDY = Study(
    "Repairs of a plain network",
    "Clipping mends exploding gradients alone; what carries the gradient back (Omega, a"
    " first matrix with a radius near 1, gates, linear or unitary recurrences) makes"
    " the difference.",
    "https://arxiv.org/abs/1211.5063",
    COMPARISON.protocol,
    COMPARISON.groups,
    findings,
)
