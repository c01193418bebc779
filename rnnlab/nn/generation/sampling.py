"""How the next token is drawn from the model's distribution."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnnlab.errors import InputError
from rnnlab.options import check, option

UNIFORMS = 2  # that a draw takes


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which tokens may be drawn, and how often."""

    temperature: float = option(
        1.0, "divides the logits; 0 takes the likeliest token", least=0
    )
    top_k: int | None = option(None, "draw from the k likeliest tokens", above=0)
    top_p: float | None = option(
        None, "draw from the likeliest tokens that hold this probability", above=0
    )
    min_p: float | None = option(
        None, "draw from tokens with this share of the likeliest one's", above=0
    )
    repetition_penalty: float = option(
        1.0, "divides the positive logits of tokens in the text so far", least=1
    )
    repetition_window: int | None = option(
        None, "the newest tokens that the penalty looks at, if not all", above=0
    )

    def __post_init__(self):
        check(self)
        for name in ("top_p", "min_p"):
            value = getattr(self, name)
            if value is not None and value > 1:
                kept = "every token" if name == "top_p" else "the likeliest token only"
                raise InputError(
                    f"--{name} must be at most 1, got {value}; 1 keeps {kept}."
                )
        if self.repetition_window is not None and self.repetition_penalty == 1:
            raise InputError(
                f"--repetition_window needs a --repetition_penalty above 1, got a"
                f" window of {self.repetition_window} without; give both or none."
            )

    def filter(self, logits: jax.Array) -> jax.Array:
        """Returns scaled logits, -inf where a token may not be drawn: [..., V].

        References:
            Holtzman et al., The curious case of neural text degeneration, 2020,
            https://arxiv.org/abs/1904.09751 (`top_p`)
            Nguyen et al., Turning up the heat: min-p sampling for creative and
            coherent LLM outputs, 2024, https://arxiv.org/abs/2407.01082 (`min_p`)
        """
        if self.temperature == 0:
            best = jnp.max(logits, axis=-1, keepdims=True)
            return jnp.where(logits == best, 0.0, -jnp.inf)
        # From the highest down, so that a low temperature makes no logit infinite.
        logits = logits - jnp.max(logits, axis=-1, keepdims=True)
        logits = logits / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = jax.lax.top_k(logits, self.top_k)[0][..., -1:]
            logits = jnp.where(logits < least, -jnp.inf, logits)
        if self.top_p is not None and self.top_p < 1:
            logits = jnp.where(nucleus(logits, self.top_p), logits, -jnp.inf)
        if self.min_p is not None:
            least = jnp.max(logits, axis=-1, keepdims=True) + math.log(self.min_p)
            logits = jnp.where(logits < least, -jnp.inf, logits)
        return logits


def nucleus(logits: jax.Array, mass: float) -> jax.Array:
    """Returns which tokens are in the smallest set of likeliest ones with the mass.

    A token is where those likelier than it hold less. The bits of the lowest such
    probability are searched for by halves, as those of floats from 0 to 1 are ordered
    like them: 30 sums in place of a sort, which at 10,000 tokens takes 9 times as long
    for one row on two CPU cores, and 30 times for 64.

    Args:
        logits: [..., V].
        mass: above 0.
    """
    p = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
    bits = jax.lax.bitcast_convert_type(p, jnp.int32)
    one = jax.lax.bitcast_convert_type(jnp.float32(1), jnp.int32)

    def halve(_, bounds):
        low, high = bounds  # all of what is above `high` has less than the mass
        middle = (low + high) // 2
        likelier = jnp.sum(jnp.where(bits > middle, p, 0), axis=-1, keepdims=True)
        fits = likelier < mass
        return jnp.where(fits, low, middle), jnp.where(fits, middle, high)

    rows = (*p.shape[:-1], 1)
    bounds = jnp.full(rows, -1, jnp.int32), jnp.full(rows, one)
    _, least = jax.lax.fori_loop(0, 30, halve, bounds)
    return bits >= least


def draw(logits: jax.Array, uniforms: jax.Array) -> jax.Array:
    """Returns a token of each row, by the probabilities that logits give: int [...].

    First a block of tokens is drawn, then a token of the block: two uniform numbers in
    place of one a token, of which making them takes most of the time.

    Args:
        logits: [..., V]; -inf for what is not to be drawn.
        uniforms: [UNIFORMS, ..., 1], from 0 to below 1.
    """
    size = logits.shape[-1]
    blocks = math.isqrt(size)
    width = -(-size // blocks)
    logits = logits.astype(jnp.float32)
    p = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    p = jnp.pad(p, [(0, 0)] * (p.ndim - 1) + [(0, blocks * width - size)])
    p = p.reshape(*p.shape[:-1], blocks, width)
    block = _pick(jnp.sum(p, axis=-1), uniforms[0])
    within = jnp.take_along_axis(p, block[..., None, None], axis=-2)[..., 0, :]
    return block * width + _pick(within, uniforms[1])


def _pick(p: jax.Array, uniform: jax.Array) -> jax.Array:
    """Returns an index of each row by weights, never one whose weight is 0."""
    # A sum's rounding must not make a step where the weight is 0.
    below = jnp.where(p > 0, jnp.cumsum(p, axis=-1), 0)
    limit = uniform * jnp.max(below, axis=-1, keepdims=True)
    return jnp.argmax(below > limit, axis=-1)
