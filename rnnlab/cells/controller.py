"""What cells with a memory beside them share: a simple network that reads and acts.

Abstract: a cell names how many vectors and scalars it takes of its controller, and
writes what they do to the memory.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from rnnlab import initializers
from rnnlab.activations import tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import Dense


@dataclasses.dataclass(frozen=True)
class Controller(Dense):
    """An Elman network that sees what it last read, and gives orders to a memory.

    h_t = tanh(W x_t + b + R [h_{t-1}, r_{t-1}]);  orders = C h_t + b_c

    Attributes:
        features: H, the number of units, and of entries of a vector in memory.
        vectors: how many blocks of H columns the orders have, and they come first.
        scalars: how many columns come after them.
    """

    vectors: ClassVar[int]
    scalars: ClassVar[int]

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, H], recurrent [2H, H], bias [H], control, control_bias.

        `control` is [H, vectors H + scalars].
        """
        own, read, *keys = jax.random.split(key, 4)
        units = self.features
        glorot = jax.nn.initializers.glorot_uniform()
        params = super().init(own, in_features)
        recurrent = [params["recurrent"], glorot(read, (units, units))]
        control = [
            initializers.side_by_side(glorot, keys[0], (units, units), self.vectors),
            initializers.side_by_side(glorot, keys[1], (units, 1), self.scalars),
        ]
        return params | {
            "recurrent": jnp.concatenate(recurrent),
            "control": jnp.concatenate(control, axis=-1),
            "control_bias": jnp.zeros(self.vectors * units + self.scalars),
        }

    def controlled(self, params: Params, carry: Any, u: Any) -> tuple[Any, list[Any]]:
        """Returns h and its orders: the vectors [..., H], then the scalars [..., n]."""
        seen = jnp.concatenate([carry.h, carry.r], axis=-1)
        h = tanh(u + seen @ params["recurrent"])
        orders = h @ params["control"] + params["control_bias"]
        ends = [(k + 1) * self.features for k in range(self.vectors)]
        return h, jnp.split(orders, ends, axis=-1)
