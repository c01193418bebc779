"""Monte Carlo dropout: the mean probability over masks, and how far they differ.

References:
    Gal, Ghahramani, Dropout as a Bayesian approximation, 2016,
    https://arxiv.org/abs/1506.02142
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_modeling import reading
from experiments.language_modeling.config import Config
from experiments.language_modeling.task import LanguageTask
from rnnlab.errors import InputError

DROPPED = (
    "dropout_in",
    "dropout_out",
    "embedding_dropout",
    "token_dropout",
    "weight_drop",
    "recurrent_dropout",
    "state_dropout",
    "zoneout",
)


class Spread(NamedTuple):
    """What K masks give together.

    Attributes:
        nats: of the mean of the probabilities, for each target, [N].
        alone: the mean nats with each mask alone, [K].
        deviation: of a target's nats over the masks, in the mean over targets.
    """

    nats: np.ndarray
    alone: np.ndarray
    deviation: float


def check(config: Config) -> None:
    """Raises InputError for a model that was trained without dropout."""
    shares = [getattr(config.regularization, name) for name in DROPPED]
    if not any([config.dropout, *shares]):
        raise InputError(
            "--masks needs a model that was trained with dropout, got one without; take"
            " another --workdir, or leave --masks out."
        )


def spread(each: np.ndarray) -> Spread:
    """Returns what nats by mask and target, [K, N], give together."""
    each = each.astype(np.float64)
    least = each.min(0)
    mean = least - np.log(np.exp(least - each).mean(0))
    return Spread(mean, each.mean(1), float(each.std(0).mean()))


def costs(
    task: LanguageTask, params: Any, split: str, count: int, length: int
) -> np.ndarray:
    """Returns the nats of each target under each mask, [K, N].

    Each mask has a carried state of its own.

    Args:
        task: with a model that drops something.
        params: trained.
        split: to be read.
        count: K.
        length: steps after which masks are drawn anew, those of training.
    """
    model, text = task.model, reading.whole(task, split)
    first = model.initial(text.inputs.shape[1:])
    carries = jax.tree.map(lambda a: jnp.stack([a] * count), first)

    @jax.jit
    def read(carries, piece, key):
        def under_one(given):
            carries, key = given
            return model.apply(
                {"params": params},
                carries,
                piece.inputs,
                piece.targets,
                method="noisy",
                rngs={"dropout": key},
            )

        return jax.lax.map(under_one, (carries, jax.random.split(key, count)))

    found = []
    for k, piece in enumerate(reading.pieces(text, length)):
        carries, nats = read(carries, piece, jax.random.key(k))
        found.append(np.asarray(nats.transpose(1, 2, 0)))
    return reading.in_order(np.concatenate(found), text.mask).T
