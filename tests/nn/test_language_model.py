"""A language model: its loss is its logits' cross-entropy, its carries go on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.extend import core

from rnnlab.cells import Elman
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.nn.layers import layers
from rnnlab.wrappers import recurrent_dropout, state_dropout, zoneout

V, E, H, T, B = 11, 5, 5, 6, 2
RNG = np.random.default_rng(0)
TOKENS, TARGETS = RNG.integers(V, size=(2, T, B))
WEIGHTS = RNG.normal(size=(T, B)).astype(np.float32)
MODELS = {
    "untied": LanguageModel(E, Stack((Elman(4), Elman(H))), Softmax(V)),
    "tied": LanguageModel(E, Stack((Elman(H),)), Softmax(V, tied=True)),
}
CELLS = {
    "untied": E * 4 + 4 * 4 + 4 + 4 * H + H * H + H,
    "tied": E * H + H * H + H,
}
PARAMETERS = {
    "untied": V * E + CELLS["untied"] + V * H + V,
    "tied": V * E + CELLS["tied"] + V,
}


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
        wanted.append(h @ params["embedding"].T + params["output"]["bias"])
    carries = MODELS["tied"].initial((B,))
    after, y = logits(MODELS["tied"], params, carries, TOKENS)
    close((after, y), ((h,), np.stack(wanted)))


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_counted(name):
    assert sum(p.size for p in jax.tree.leaves(params_of(name))) == PARAMETERS[name]
    assert ("decoder" in params_of(name)["output"]) == (name == "untied")


def test_initial_parameters():
    model, key = MODELS["tied"], jax.random.key(0)
    params = jax.jit(model.init)(key, model.initial((B,)), TOKENS)["params"]
    np.testing.assert_array_equal(params["output"]["bias"], np.zeros(V))
    assert abs(np.std(params["embedding"]) / E**-0.5 - 1) < 0.3


@pytest.mark.parametrize("name", MODELS)
def test_parameters_do_not_depend_on_the_method(name):
    init = functools.partial(MODELS[name].init, method="loss")
    carries = MODELS[name].initial((B,))
    shapes = jax.eval_shape(init, jax.random.key(0), carries, TOKENS, TARGETS)
    wanted = jax.tree.map(jnp.shape, params_of(name))
    assert jax.tree.map(lambda s: s.shape, shapes["params"]) == wanted


def test_a_tied_layer_of_another_size_is_named():
    model = LanguageModel(E, Stack((Elman(H + 2),)), Softmax(V, tied=True))
    with pytest.raises(ValueError, match=r"tied.*7 and 5.*project=5.*tied=False"):
        jax.eval_shape(model.init, jax.random.key(0), model.initial((B,)), TOKENS)


@pytest.mark.parametrize("name", MODELS)
def test_two_windows_equal_one(name):
    model, params = MODELS[name], params_of(name)
    carries = model.initial((B,))
    after, whole = logits(model, params, carries, TOKENS)
    middle, first = logits(model, params, carries, TOKENS[:3])
    last, second = logits(model, params, middle, TOKENS[3:])
    close((last, jnp.concatenate([first, second])), (after, whole))


# Names of what training adds -> the model with it, and what differs from none.
REGULARIZED = {
    "dropout": MODELS["tied"].clone(stack=Stack((Elman(H),), dropout=0.5)),
    "dropout at the input": MODELS["tied"].clone(
        stack=Stack((Elman(H),), dropout_in=0.5)
    ),
    "weight drop": MODELS["tied"].clone(stack=Stack((Elman(H),), weight_drop=0.5)),
    "dropout_out": MODELS["tied"].clone(dropout_out=0.5),
    "embedding dropout": MODELS["tied"].clone(embedding_dropout=0.5),
    "token dropout": MODELS["tied"].clone(token_dropout=0.5),
}


def trained(model, seed, params=None):
    """Returns nats and penalty in training."""
    params = params_of("tied") if params is None else params
    given = model.initial((B,)), TOKENS, TARGETS
    rngs = {"dropout": jax.random.key(seed)}
    run = functools.partial(model.apply, method="objective", rngs=rngs)
    return jax.jit(run)({"params": params}, *given)[1:]


def evaluated(model):
    given = model.initial((B,)), TOKENS, TARGETS
    run = functools.partial(model.apply, method="loss")
    return jax.jit(run)({"params": params_of("tied")}, *given)[1]


@pytest.mark.parametrize("name", REGULARIZED)
def test_what_drops_does_so_in_training_by_the_key(name):
    model = REGULARIZED[name]
    close(trained(model, 0), trained(model, 0), 0)
    assert not np.array_equal(trained(model, 0)[0], trained(model, 1)[0])
    close(evaluated(model), evaluated(MODELS["tied"]), 0)


def test_without_regularisation_training_is_evaluation():
    nats, penalty = trained(MODELS["tied"], 0)
    close(nats, evaluated(MODELS["tied"]))
    assert penalty == 0


def drawing(jaxpr, inside=False):
    """Yields, of each operation that draws bits, whether it stands in a loop."""
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in ("random_bits", "threefry2x32"):
            yield inside
        looped = inside or name in ("scan", "while")
        for part in jax.tree.leaves(equation.params, is_leaf=is_program):
            if is_program(part):
                yield from drawing(getattr(part, "jaxpr", part), looped)


def is_program(part):
    return isinstance(part, core.Jaxpr | core.ClosedJaxpr)


def drawn(model, cell=None):
    """Returns whether each draw of a training step stands in a loop."""
    stack = model.stack if cell is None else model.stack.clone(cells=(cell,))
    model = model.clone(stack=stack)

    def objective(params):
        given = {"params": params}, model.initial((B,)), TOKENS, TARGETS
        rngs = {"dropout": jax.random.key(0)}
        return model.apply(*given, method="objective", rngs=rngs)[1].sum()

    return {*drawing(jax.make_jaxpr(jax.grad(objective))(params_of("tied")).jaxpr)}


@pytest.mark.parametrize("name", REGULARIZED)
def test_masks_are_drawn_before_the_loop_and_what_is_off_draws_none(name):
    assert drawn(REGULARIZED[name]) == {False}
    assert drawn(MODELS["tied"]) == {*()}


@pytest.mark.parametrize("wrap", [recurrent_dropout, state_dropout, zoneout])
def test_masks_of_states_are_drawn_before_the_loop(wrap):
    assert drawn(MODELS["tied"], wrap(Elman(H), 0.5)) == {False}


def test_masks_that_are_shared_and_masks_that_are_not():
    """Zeros of what the output sees: by step, or once; by type, or by token."""
    params = params_of("tied")
    params = params | {"embedding": np.ones_like(params["embedding"])}

    def seen(model):
        """What goes into the layers, and what comes out of dropout at the end."""
        rngs = {"dropout": jax.random.key(3)}
        found = layers(model, {"params": params}, None, TOKENS, TARGETS,
                       method="objective", rngs=rngs)  # fmt: skip
        return np.asarray(found["stack/Recurrent_0"].x)

    by_type = seen(REGULARIZED["embedding dropout"])
    assert {*by_type.flat} == {0, 2}
    for token in {*TOKENS.flat}:
        assert len({*by_type[token == TOKENS].flat}) == 1
    by_token = seen(REGULARIZED["token dropout"])
    assert {*by_token.flat} == {0, 2}
    assert (by_token == by_token[..., :1]).all()
    assert any(len({*by_token[token == TOKENS].flat}) == 2 for token in TOKENS.flat)
    once = MODELS["tied"].clone(
        stack=Stack((Elman(H),), dropout_in=0.5, variational=True)
    )
    assert (seen(once) == seen(once)[:1]).all() and {*seen(once).flat} == {0, 2}
    each = seen(REGULARIZED["dropout at the input"])
    assert not (each == each[:1]).all()


@pytest.mark.parametrize("variational", [False, True])
def test_a_mask_at_the_end_is_one_for_all_steps_or_one_for_each(variational):
    model = MODELS["tied"].clone(dropout_out=0.5, variational=variational)
    params = params_of("tied")
    cell = jax.tree.map(np.zeros_like, params["stack"]["Recurrent_0"]["cell"])
    cell |= {"bias": np.ones_like(cell["bias"])}  # h is the same at all steps
    params = params | {"stack": {"Recurrent_0": {"cell": cell}}}
    rngs = {"dropout": jax.random.key(0)}
    given = model.initial((B,)), TOKENS, np.zeros_like(TARGETS)
    run = functools.partial(model.apply, method="objective", rngs=rngs)
    nats = np.asarray(jax.jit(run)({"params": params}, *given)[1])
    assert (np.ptp(nats, axis=0) == 0).all() == variational
    assert np.ptp(nats, axis=1).max() > 0


def test_penalties_by_hand():
    model = MODELS["tied"].clone(ar=2.0, tar=3.0)
    carries, h = model.apply(
        {"params": params_of("tied")}, model.initial((B,)), TOKENS, method="features"
    )
    h = np.asarray(h, np.float64)
    wanted = 2 * np.mean(h**2) + 3 * np.mean((h[1:] - h[:-1]) ** 2)
    nats, penalty = trained(model, 0)
    close(penalty, wanted)
    close(nats, evaluated(MODELS["tied"]))
    # ar sees what dropout leaves, tar what came before it.
    dropped = trained(MODELS["tied"].clone(tar=3.0, dropout_out=0.5), 0)[1]
    close(dropped, 3 * np.mean((h[1:] - h[:-1]) ** 2))
    assert abs(trained(model.clone(dropout_out=0.5), 0)[1] - wanted) > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_smoothed_labels_are_optax_s(name):
    smooth = MODELS[name].clone(output=MODELS[name].output.clone(smoothing=0.2))
    params = params_of(name)
    labels = optax.smooth_labels(jax.nn.one_hot(TARGETS, V), 0.2)
    _, y = logits(MODELS[name], params, MODELS[name].initial((B,)), TOKENS)
    close(trained(smooth, 0, params)[0], optax.softmax_cross_entropy(y, labels))


def test_a_linear_map_before_the_output():
    model = LanguageModel(E, Stack((Elman(7),)), Softmax(V, tied=True, project=E))
    carries = model.initial((B,))
    params = model.init(jax.random.key(0), carries, TOKENS)["params"]
    assert params["output"]["project"]["kernel"].shape == (7, E)
    _, h = model.apply({"params": params}, carries, TOKENS, method="features")
    wanted = h @ params["output"]["project"]["kernel"] @ params["embedding"].T
    close(logits(model, params, carries, TOKENS)[1], wanted)
