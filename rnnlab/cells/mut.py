"""The three best cells that a search by mutation found."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from rnnlab.activations import sigmoid, tanh
from rnnlab.cell import Params
from rnnlab.cells.dense import Dense


@dataclasses.dataclass(frozen=True)
class MUT1(Dense):
    """A GRU whose update gate sees the input alone.

    z = sigmoid(W_z x_t + b_z);  r = sigmoid(W_r x_t + b_r + R_r h_{t-1})
    n = tanh(tanh(W_n x_t) + b_n + R_n (r * h_{t-1}))
    h_t = z * n + (1 - z) * h_{t-1};  y_t = h_t

    The paper has tanh(x_t), of H features, for tanh(W_n x_t). The columns stand in the
    order z, r, n; `recurrent` has none for z.

    Attributes:
        features: H, the number of units.

    References:
        Jozefowicz, Zaremba, Sutskever, An empirical exploration of recurrent network
        architectures, 2015, https://proceedings.mlr.press/v37/jozefowicz15.html
    """

    gates: ClassVar[int] = 3

    def init(self, key: jax.Array, in_features: int) -> Params:
        """Returns kernel [I, 3H], recurrent [H, 2H], bias [3H]."""
        params = super().init(key, in_features)
        return params | {"recurrent": params["recurrent"][:, self.features :]}

    def project(self, params: Params, x: jax.Array) -> jax.Array:
        """Returns z, W_r x + b_r and tanh(W_n x) + b_n, [..., 3H]."""
        z, r, n = jnp.split(x @ params["kernel"], 3, axis=-1)
        b_z, b_r, b_n = jnp.split(params["bias"], 3)
        return jnp.concatenate([sigmoid(z + b_z), r + b_r, tanh(n) + b_n], axis=-1)

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        of_r, of_n = jnp.split(params["recurrent"], 2, axis=-1)
        z, u_r, u_n = jnp.split(u, 3, axis=-1)
        r = sigmoid(u_r + carry @ of_r)
        n = tanh(u_n + (r * carry) @ of_n)
        h = carry + z * (n - carry)
        return h, h


@dataclasses.dataclass(frozen=True)
class MUT2(Dense):
    """A GRU whose reset gate, in the paper, sees the input without a matrix.

    z = sigmoid(W_z x_t + b_z + R_z h_{t-1});  r = sigmoid(W_r x_t + b_r + R_r h_{t-1})
    n = tanh(W_n x_t + b_n + R_n (r * h_{t-1}))
    h_t = z * n + (1 - z) * h_{t-1};  y_t = h_t

    The paper has x_t, of H features, for W_r x_t. With a matrix there, for any I, this
    is `GRUBefore` with z turned about. The columns stand in the order z, r, n.

    Attributes:
        features: H, the number of units.

    References:
        Jozefowicz, Zaremba, Sutskever, An empirical exploration of recurrent network
        architectures, 2015, https://proceedings.mlr.press/v37/jozefowicz15.html
    """

    gates: ClassVar[int] = 3

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        gates, candidate = jnp.split(params["recurrent"], [2 * self.features], axis=-1)
        u_z, u_r, u_n = jnp.split(u, 3, axis=-1)
        r_z, r_r = jnp.split(carry @ gates, 2, axis=-1)
        z, r = sigmoid(u_z + r_z), sigmoid(u_r + r_r)
        n = tanh(u_n + (r * carry) @ candidate)
        h = carry + z * (n - carry)
        return h, h


@dataclasses.dataclass(frozen=True)
class MUT3(Dense):
    """A GRU whose update gate sees tanh of the state.

    z = sigmoid(W_z x_t + b_z + R_z tanh(h_{t-1}))
    r = sigmoid(W_r x_t + b_r + R_r h_{t-1})
    n = tanh(W_n x_t + b_n + R_n (r * h_{t-1}))
    h_t = z * n + (1 - z) * h_{t-1};  y_t = h_t

    The columns stand in the order z, r, n.

    Attributes:
        features: H, the number of units.

    References:
        Jozefowicz, Zaremba, Sutskever, An empirical exploration of recurrent network
        architectures, 2015, https://proceedings.mlr.press/v37/jozefowicz15.html
    """

    gates: ClassVar[int] = 3

    def step(self, params, carry, u):
        """Returns h twice: as the carry and as the output."""
        of_z, of_r, of_n = jnp.split(params["recurrent"], 3, axis=-1)
        u_z, u_r, u_n = jnp.split(u, 3, axis=-1)
        z, r = sigmoid(u_z + tanh(carry) @ of_z), sigmoid(u_r + carry @ of_r)
        n = tanh(u_n + (r * carry) @ of_n)
        h = carry + z * (n - carry)
        return h, h
