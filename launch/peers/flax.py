"""The benchmarks' layer and language model in flax linen, as its users write them."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

CELLS = {"lstm": nn.OptimizedLSTMCell, "gru": nn.GRUCell}


def layer(cell: str, x: jax.Array) -> tuple[Any, Callable[..., Any]]:
    """Returns parameters, and y of (parameters, x): [T, B, H] -> [T, B, H]."""
    module = nn.RNN(CELLS[cell](x.shape[-1]), time_major=True)
    return jax.jit(module.init)(jax.random.key(0), x), module.apply


class LanguageModel(nn.Module):
    """Embedding, LSTM layers, output layer.

    Attributes:
        vocab_size: V.
        features: H, of the embedding and of each layer.
        layers: the number of LSTM layers.
    """

    vocab_size: int
    features: int
    layers: int

    def initial(self, batch: int) -> Any:
        """Returns the carries before the first token, [B, H] each."""
        cell = nn.OptimizedLSTMCell(self.features, parent=None)
        shape = (batch, self.features)
        carries = [cell.initialize_carry(jax.random.key(0), shape)] * self.layers
        return jax.tree.map(jnp.copy, carries)  # donated: no buffer twice

    @nn.compact
    def __call__(self, carries: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        """Returns the carries after the last token and logits: [T, B] -> [T, B, V]."""
        x = nn.Embed(self.vocab_size, self.features)(tokens)
        after = []
        for carry in carries:
            cell = nn.OptimizedLSTMCell(self.features)
            layer = nn.RNN(cell, time_major=True, return_carry=True)
            carry, x = layer(x, initial_carry=carry)
            after.append(carry)
        return after, nn.Dense(self.vocab_size)(x)


def trainer(
    vocab_size: int, features: int, layers: int, batch: int, learning_rate: float
) -> Callable[[Any], jax.Array]:
    """Returns the training step, which keeps its state and returns the loss.

    The gradient is clipped to a global norm of 5; the update is that of SGD.
    """
    model = LanguageModel(vocab_size, features, layers)
    optimizer = _optimizer(learning_rate)
    carries = model.initial(batch)
    params = jax.jit(model.init)(jax.random.key(0), carries, _tokens(1, batch))
    update = _update(model, optimizer)
    state = (params, optimizer.init(params), carries)

    def step(batch):
        nonlocal state
        state, value = update(state, batch.inputs, batch.targets)
        return value

    return step


def temporaries(
    vocab_size: int, features: int, layers: int, batch: int, steps: int
) -> int:
    """Returns the bytes of the training step beside its state, by XLA's account."""
    model = LanguageModel(vocab_size, features, layers)
    optimizer = _optimizer(1.0)
    tokens = _tokens(steps, batch)

    def begin():
        carries = model.initial(batch)
        params = model.init(jax.random.key(0), carries, tokens)
        return params, optimizer.init(params), carries

    compiled = _update(model, optimizer).lower(jax.eval_shape(begin), tokens, tokens)
    return compiled.compile().memory_analysis().temp_size_in_bytes


def _tokens(steps, batch):
    return jnp.zeros((steps, batch), jnp.int32)


def _optimizer(learning_rate):
    return optax.chain(optax.clip_by_global_norm(5.0), optax.sgd(learning_rate))


def _update(model, optimizer):
    """Returns the compiled step, which takes over the state it is given."""

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, inputs, targets):
        params, optimizer_state, carries = state

        def loss(params):
            after, logits = model.apply(params, carries, inputs)
            nats = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
            return jnp.mean(nats), after

        (value, carries), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates, optimizer_state = optimizer.update(grads, optimizer_state, params)
        params = optax.apply_updates(params, updates)
        return (params, optimizer_state, carries), value

    return update
