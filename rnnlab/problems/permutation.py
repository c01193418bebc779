"""Which of two symbols stood first, before noise that tells nothing?"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnnlab.problems import checks
from rnnlab.problems.problem import Classes, Draw


@dataclasses.dataclass(frozen=True)
class RandomPermutation(Classes):
    """Symbols, the first of which is one of two; at the end, which of them it was.

    x is one of `alphabet` symbols a step: 0 or 1 at the first, one of the others, as
    likely each, at all that follow. The answer at the last step is the first symbol.
    In the first two papers the first symbol comes back as the last one and each next
    symbol is to be predicted. But for that one none can be, so that it alone is asked
    here, as in the code of the third.

    Attributes:
        steps: T.
        alphabet: how many symbols there are.

    References:
        Hochreiter, Schmidhuber, Long short-term memory, 1997,
        https://doi.org/10.1162/neco.1997.9.8.1735: experiment 2b.
        Martens, Sutskever, Learning recurrent neural networks with Hessian-free
        optimization, 2011, https://icml.cc/2011/papers/532_icmlpaper.pdf
        Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural
        networks, 2013, https://arxiv.org/abs/1211.5063; its code,
        https://github.com/pascanur/trainingRNNs/blob/master/permutation.py
    """

    steps: int
    alphabet: int = 100

    def __post_init__(self):
        checks.least(self, "steps", 2)
        checks.least(self, "alphabet", 3)

    @property
    def inputs(self) -> int:
        """The symbols."""
        return self.alphabet

    @property
    def outputs(self) -> int:
        """The two symbols that may stand first."""
        return 2

    @property
    def floor(self) -> float:
        """The logarithm of 2: both symbols are as likely."""
        return math.log(2)

    def draw(self, key: jax.Array, rows: int) -> Draw:
        """Returns `rows` sequences, the same for the same key."""
        of_first, of_noise = jax.random.split(key)
        first = jax.random.randint(of_first, (1, rows), 0, 2)
        noise = jax.random.randint(of_noise, (self.steps - 1, rows), 2, self.alphabet)
        x = jax.nn.one_hot(jnp.concatenate([first, noise]), self.inputs)
        return Draw(x, first, jnp.ones((1, rows)))
