"""Has there been an odd number of ones so far?"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw


@dataclasses.dataclass(frozen=True)
class Parity(Classes):
    """Bits; after each of them, whether the number of ones so far is odd.

    x is 1 or -1 a step, for a bit of 1 or 0; the answer is 1 for odd and 0 for even. A
    bit turns the answer over whatever came before, so that a state that only adds up,
    or only fades, cannot follow.

    Attributes:
        steps: T.

    References:
        Grazzi et al., Unlocking state-tracking in linear RNNs through negative
        eigenvalues, 2024, https://arxiv.org/abs/2411.12537: which ones cannot.
    """

    steps: int

    def __post_init__(self):
        checks.least(self, "steps", 1)

    @property
    def inputs(self) -> int:
        """A bit."""
        return 1

    @property
    def outputs(self) -> int:
        """Even and odd."""
        return 2

    @property
    def floor(self) -> float:
        """The logarithm of 2: even and odd are as likely at each step."""
        return math.log(2)

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        bits = jax.random.randint(key, (self.steps, rows), 0, 2)
        x = (2 * bits - 1).astype(jnp.float32)[..., None]
        return Draw(x, jnp.cumsum(bits, axis=0) % 2, jnp.ones(bits.shape))
