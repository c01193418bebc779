"""A language model: its loss is its logits' cross-entropy, its carries go on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rnnlab.cells import Elman
from rnnlab.nn import LanguageModel

V, E, H, T, B = 11, 5, 5, 6, 2
RNG = np.random.default_rng(0)
TOKENS, TARGETS = RNG.integers(V, size=(2, T, B))
WEIGHTS = RNG.normal(size=(T, B)).astype(np.float32)
MODELS = {
    "untied": LanguageModel(V, E, (Elman(4), Elman(H))),
    "tied": LanguageModel(V, E, (Elman(H),), tied=True),
}
CELLS = {
    "untied": E * 4 + 4 * 4 + 4 + 4 * H + H * H + H,
    "tied": E * H + H * H + H,
}
PARAMETERS = {
    "untied": V * E + CELLS["untied"] + V * H + V,
    "tied": V * E + CELLS["tied"] + V,
}  # fmt: skip


@functools.lru_cache
def params_of(name):
    """Returns parameters as a model makes them, all drawn: biases too are not zero."""
    model, rng = MODELS[name], np.random.default_rng(1)
    carries = model.initial((B,))
    shapes = jax.eval_shape(model.init, jax.random.key(0), carries, TOKENS)["params"]
    return jax.tree.map(
        lambda s: 0.5 * rng.normal(size=s.shape).astype(np.float32), shapes
    )


def close(actual, desired, tolerance=5e-6):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


@functools.partial(jax.jit, static_argnums=0)
def logits(model, params, carries, tokens):
    return model.apply({"params": params}, carries, tokens)


@pytest.mark.parametrize("name", MODELS)
def test_loss_is_the_cross_entropy_of_the_logits(name):
    model, carries = MODELS[name], MODELS[name].initial((B,))

    def by_loss(params):
        after, nats = model.apply(
            {"params": params}, carries, TOKENS, TARGETS, method="loss"
        )
        return jnp.sum(nats * WEIGHTS), (after, nats)

    def by_optax(params):
        after, y = model.apply({"params": params}, carries, TOKENS)
        nats = optax.softmax_cross_entropy_with_integer_labels(y, TARGETS)
        return jnp.sum(nats * WEIGHTS), (after, nats)

    actual, wanted = (
        jax.jit(jax.grad(f, has_aux=True))(params_of(name)) for f in (by_loss, by_optax)
    )
    close(actual, wanted)


def test_logits_by_hand():
    """The tied model, whose output weights are the embedding."""
    params = jax.tree.map(np.asarray, params_of("tied"))
    cell = params["stack"]["Recurrent_0"]["cell"]
    h, wanted = np.zeros((B, H)), []
    for token in TOKENS:
        x = params["embedding"][token]
        h = np.tanh(x @ cell["kernel"] + cell["bias"] + h @ cell["recurrent"])
        wanted.append(h @ params["embedding"].T + params["bias"])
    carries = MODELS["tied"].initial((B,))
    after, y = logits(MODELS["tied"], params, carries, TOKENS)
    close((after, y), ((h,), np.stack(wanted)))


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_counted(name):
    assert sum(p.size for p in jax.tree.leaves(params_of(name))) == PARAMETERS[name]
    assert ("decoder" in params_of(name)) == (name == "untied")


def test_initial_parameters():
    model, key = MODELS["tied"], jax.random.key(0)
    params = jax.jit(model.init)(key, model.initial((B,)), TOKENS)["params"]
    np.testing.assert_array_equal(params["bias"], np.zeros(V))
    assert abs(np.std(params["embedding"]) / E**-0.5 - 1) < 0.3


@pytest.mark.parametrize("name", MODELS)
def test_parameters_do_not_depend_on_the_method(name):
    init = functools.partial(MODELS[name].init, method="loss")
    carries = MODELS[name].initial((B,))
    shapes = jax.eval_shape(init, jax.random.key(0), carries, TOKENS, TARGETS)
    wanted = jax.tree.map(jnp.shape, params_of(name))
    assert jax.tree.map(lambda s: s.shape, shapes["params"]) == wanted


def test_a_tied_layer_of_another_size_is_named():
    model = LanguageModel(V, E, (Elman(H + 2),), tied=True)
    with pytest.raises(ValueError, match=r"tied.*7 and 5.*tied=False"):
        jax.eval_shape(model.init, jax.random.key(0), model.initial((B,)), TOKENS)


@pytest.mark.parametrize("name", MODELS)
def test_two_windows_equal_one(name):
    model, params = MODELS[name], params_of(name)
    carries = model.initial((B,))
    after, whole = logits(model, params, carries, TOKENS)
    middle, first = logits(model, params, carries, TOKENS[:3])
    last, second = logits(model, params, middle, TOKENS[3:])
    close((last, jnp.concatenate([first, second])), (after, whole))


def test_dropout_in_training_only():
    model = LanguageModel(V, E, (Elman(H),), dropout=0.5)
    carries, params = model.initial((B,)), params_of("tied")
    params = params | {"decoder": params["embedding"]}

    @functools.partial(jax.jit, static_argnums=0)
    def loss(train, seed):
        return model.apply(
            {"params": params}, carries, TOKENS, TARGETS, train, method="loss",
            rngs={"dropout": jax.random.key(seed)},
        )[1]  # fmt: skip

    close(loss(False, 0), loss(False, 1), 0)
    close(loss(True, 0), loss(True, 0), 0)
    assert not np.array_equal(loss(True, 0), loss(True, 1))
    assert not np.array_equal(loss(True, 0), loss(False, 0))
