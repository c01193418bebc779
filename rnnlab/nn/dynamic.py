"""Dynamic evaluation: the parameters of a language model follow the text it reads.

After each window of a few tokens they take a step down the gradient of what the window
cost, and a step back to where training left them. A token is always predicted before
its own gradient is known.

References:
    Krause, Kahembwe, Murray, Renals, Dynamic evaluation of neural sequence models,
    2018, https://arxiv.org/abs/1709.07432
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from rnnlab.nn.language_model import LanguageModel

EPSILON = 2e-5  # added to the size of a gradient that another is divided by


class Window(NamedTuple):
    """Tokens side by side.

    Attributes:
        inputs: int [T, B].
        targets: int [T, B], the tokens that follow.
        mask: bool [T, B], False where padded.
    """

    inputs: Any
    targets: Any
    mask: Any


class Rule(NamedTuple):
    """How a parameter moves: p += pull (home - p) - rate gradient / (size + epsilon).

    Attributes:
        home: the trained parameters.
        size: how large a parameter's gradient is, by `sizes`; for plain descent ones.
        epsilon: for gradients that were zero in training; for plain descent none.
        mean: of all sizes.
        rate: of the step down the gradient.
        decay: the pull is decay x size / mean, and at most 1: what had large gradients
            in training comes back fast.
    """

    home: Any
    size: Any
    epsilon: Any
    mean: Any
    rate: Any
    decay: Any


class Read(NamedTuple):
    """What a model made of tokens.

    Attributes:
        nats: what each target cost, [T, B].
        h: what the output layer saw, [T, B, H].
    """

    nats: jax.Array
    h: jax.Array


def plain(params: Any, rate: float, decay: float) -> Rule:
    """Returns the rule of stochastic gradient descent from the trained params."""
    ones = jax.tree.map(lambda p: jnp.ones((), p.dtype), params)
    return Rule(params, ones, 0.0, 1.0, rate, decay)


def scaled(params: Any, size: Any, rate: float, decay: float) -> Rule:
    """Returns the rule of Krause et al.: steps are measured by the gradients' sizes.

    The mean is over all entries, as in the paper; the authors' code takes that of the
    arrays' means, so that its decays are other numbers.
    """
    leaves = jax.tree.leaves(size)
    mean = sum(float(s.sum()) for s in leaves) / sum(s.size for s in leaves)
    return Rule(params, size, EPSILON, mean, rate, decay)


def sizes(
    model: LanguageModel, params: Any, carries: Any, windows: Iterable[Window]
) -> Any:
    """Returns the root of the mean square of each parameter's gradient.

    Args:
        model: the network.
        params: its trained parameters.
        carries: before the first window.
        windows: of the training split, one after the other, as long as those after
            which the parameters will move: shorter ones have larger gradients.
    """

    @jax.jit
    def add(total, carries, window):
        grads, (carries, _) = _gradient(model, params, carries, window)
        return jax.tree.map(lambda t, g: t + g * g, total, grads), carries

    total, count = jax.tree.map(jnp.zeros_like, params), 0
    for window in windows:
        total, carries = add(total, carries, window)
        count += 1
    return jax.tree.map(lambda t: jnp.sqrt(t / count), total)


def read(
    model: LanguageModel, params: Any, carries: Any, window: Window
) -> tuple[Any, Read]:
    """Returns the carries after a window and what it gave, nothing learned."""
    given = carries, window.inputs, window.targets
    both: Any = model.apply({"params": params}, *given, method=_read)
    return both


def follow(
    model: LanguageModel, rule: Rule, params: Any, carries: Any, windows: Window
) -> tuple[Any, Any, Read]:
    """Reads windows one after the other, with a step of the parameters after each.

    Args:
        model: the network.
        rule: how the parameters move.
        params: where they are before the first window; at first `rule.home`.
        carries: before the first window.
        windows: K of them, [K, T, B] each.

    Returns:
        The parameters and carries after the last, and what was read: [K, T, B, ...].
    """

    def one(state, given):
        (params, carries), (window, scales) = state, given
        grads, (carries, found) = _gradient(model, params, carries, window)
        return (_moved(rule, scales, params, grads), carries), found

    # The same for each window; as such XLA would keep what they make of all sizes.
    count = len(windows.inputs)
    scales = jnp.full(count, rule.decay / rule.mean), jnp.full(count, rule.epsilon)
    (params, carries), found = lax.scan(one, (params, carries), (windows, scales))
    return params, carries, found


def _moved(rule, scales, params, grads):
    """Returns the parameters after one step; `scales` are the pull and epsilon."""
    pull, epsilon = scales

    def move(p, g, home, size):
        back = jnp.minimum(pull * size, 1)
        step = rule.rate * g / (size + epsilon)
        return (p + back * (home - p) - step).astype(p.dtype)

    return jax.tree.map(move, params, grads, rule.home, rule.size)


def _gradient(model, params, carries, window):
    """Returns the gradient of a window's mean nats, and the carries and the reading."""

    def mean(params):
        after, found = read(model, params, carries, window)
        total = jnp.sum(jnp.where(window.mask, found.nats, 0))
        return total / jnp.maximum(window.mask.sum(), 1), (after, found)

    return jax.grad(mean, has_aux=True)(params)


def _read(model, carries, tokens, targets):
    """Returns the carries and the reading, inside of the module."""
    carries, h = model.features(carries, tokens)
    return carries, Read(model.nats(h, targets), h)
