"""Output layers: distributions, what a target costs under them, and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.nn import Adaptive, Mixture, Sampled, Softmax, chosen, losses
from rnnlab.nn.chosen import of_chosen
from rnnlab.nn.outputs.sampled import draw

V, E, BATCH = 23, 6, (5, 3)
CUTS = (4, 11)
OUTPUTS = {
    "softmax": Softmax(V),
    "softmax, tied": Softmax(V, tied=True),
    "adaptive": Adaptive(V, CUTS, 2),
    "adaptive, tied": Adaptive(V, CUTS, 1, tied=True),
    "adaptive, projected": Adaptive(V, (9,), 3, project=4),
    "mixture": Mixture(V, experts=3),
    "mixture, tied": Mixture(V, tied=True, experts=2),
    "mixture, projected": Mixture(V, project=4, experts=2),
    "sampled": Sampled(V, samples=7),
    "sampled, tied": Sampled(V, tied=True, samples=7),
}
RNG = np.random.default_rng(0)
TARGETS = RNG.integers(V, size=BATCH)


def drawn(output, features=E, dtype="float64"):
    """Returns parameters, features and embedding, none of them zero."""
    rng = np.random.default_rng(1)
    h, table = rng.normal(size=(*BATCH, features)), rng.normal(size=(V, E))
    init = functools.partial(output.init, method="logits")
    shapes = jax.eval_shape(init, jax.random.key(0), h, table)["params"]
    params = jax.tree.map(lambda s: 0.7 * rng.normal(size=s.shape), shapes)
    return jax.tree.map(lambda a: jnp.asarray(a, dtype), (params, h, table))


def nats_of(output, params, h, table, **kwargs):
    given = {"params": params}, h, TARGETS, table
    return output.apply(*given, method="nats", **kwargs)


def logits_of(output, params, h, table):
    return output.apply({"params": params}, h, table, method="logits")


def close(actual, desired, tolerance=1e-10):
    for a, d in zip(jax.tree.leaves(actual), jax.tree.leaves(desired), strict=True):
        np.testing.assert_allclose(a, d, rtol=tolerance, atol=tolerance)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_a_target_costs_is_its_logit_s_share(monkeypatch, name):
    monkeypatch.setattr(chosen, "BLOCK", 4)  # the tails' rows take several
    output, weights = OUTPUTS[name], np.random.default_rng(2).normal(size=BATCH)

    def by_nats(*given):
        nats = nats_of(output, *given)
        return jnp.sum(nats * weights), nats

    def by_logits(*given):
        shares = jax.nn.log_softmax(logits_of(output, *given))
        nats = -jnp.take_along_axis(shares, TARGETS[..., None], -1)[..., 0]
        return jnp.sum(nats * weights), nats

    with jax.enable_x64(True):
        given = drawn(output)
        actual, wanted = (
            jax.jit(jax.grad(f, argnums=(0, 1, 2), has_aux=True))(*given)
            for f in (by_nats, by_logits)
        )
        close(actual, wanted)
        if not isinstance(output, Softmax | Sampled):  # log-probabilities themselves
            sums = jax.nn.logsumexp(logits_of(output, *given), axis=-1)
            close(sums, np.zeros(BATCH))


def test_adaptive_by_hand():
    with jax.enable_x64(True):
        params, h, table = drawn(OUTPUTS["adaptive"])
        actual = logits_of(OUTPUTS["adaptive"], params, h, table)
    params, h, table = jax.tree.map(np.asarray, (params, h, table))
    head = softmax(h @ params["decoder"].T + params["bias"])
    assert head.shape[-1] == 4 + 2
    wanted = [head[..., :4]]
    for k, width in ((1, 3), (2, 1)):
        tail = params[f"tail_{k}"]
        assert tail["reduce"].shape == (E, width)
        within = softmax(h @ tail["reduce"] @ tail["decoder"].T + tail["bias"])
        wanted.append(head[..., 3 + k : 4 + k] * within)
    close(np.exp(actual), np.concatenate(wanted, -1))


def test_mixture_by_hand():
    with jax.enable_x64(True):
        params, h, table = drawn(OUTPUTS["mixture, tied"])
        actual = logits_of(OUTPUTS["mixture, tied"], params, h, table)
    params, h, table = jax.tree.map(np.asarray, (params, h, table))
    prior = softmax(h @ params["prior"]["kernel"])
    latent = np.tanh(h @ params["latent"]["kernel"] + params["latent"]["bias"])
    wanted = sum(
        prior[..., k, None]
        * softmax(latent[..., k * E : (k + 1) * E] @ table.T + params["bias"])
        for k in range(2)
    )
    close(np.exp(actual), wanted)


def test_adaptive_is_torch_s():
    torch = pytest.importorskip("torch")
    output = OUTPUTS["adaptive"]
    params, h, table = drawn(output, dtype="float32")
    for k in (1, 2):  # torch has no biases there
        params[f"tail_{k}"]["bias"] = jnp.zeros_like(params[f"tail_{k}"]["bias"])
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(E, V, CUTS, 2.0, head_bias=True)
    copies = {"head.weight": params["decoder"], "head.bias": params["bias"]}
    for k in (1, 2):
        copies[f"tail.{k - 1}.0.weight"] = params[f"tail_{k}"]["reduce"].T
        copies[f"tail.{k - 1}.1.weight"] = params[f"tail_{k}"]["decoder"]
    module.load_state_dict({k: torch.tensor(np.array(v)) for k, v in copies.items()})
    rows = torch.tensor(np.array(h).reshape(-1, E), requires_grad=True)
    found = module(rows, torch.tensor(TARGETS.reshape(-1)))
    found.loss.backward()
    loss, (d_params, d_h) = jax.jit(
        jax.value_and_grad(lambda p, h: nats_of(output, p, h, table).mean(), (0, 1))
    )(params, h)
    grads = {name: value.grad.numpy() for name, value in module.named_parameters()}
    wanted = {"head.weight": d_params["decoder"], "head.bias": d_params["bias"]}
    for k in (1, 2):
        wanted[f"tail.{k - 1}.0.weight"] = d_params[f"tail_{k}"]["reduce"].T
        wanted[f"tail.{k - 1}.1.weight"] = d_params[f"tail_{k}"]["decoder"]
    assert grads.keys() == wanted.keys()
    for name, wants in wanted.items():
        close(grads[name], wants, 1e-5)
    close((found.loss.item(), rows.grad.numpy().reshape(h.shape)), (loss, d_h), 1e-5)


@settings(max_examples=12, deadline=None)
@given(
    block=st.sampled_from([1, 3, 64]),
    rows=st.sampled_from([1, 6, 7]),
    share=st.sampled_from(["none", "some", "one", "all"]),
    seed=st.integers(0, 9),
)
def test_of_chosen_rows_none_is_left_out(block, rows, share, seed):
    rng = np.random.default_rng(seed)
    kernel, h = rng.normal(size=(5, 3)), rng.normal(size=(rows, 3))
    weights, targets = rng.normal(size=rows), rng.integers(5, size=rows)
    picked = {"none": 0, "some": rng.random(rows) < 0.5, "all": 1,
              "one": np.arange(rows) == rows - 1}[share]  # fmt: skip
    picked = np.broadcast_to(np.asarray(picked, bool), rows)

    def cost(kernel, h, true):
        return losses.cross_entropy(h, kernel, jnp.zeros(5), true)

    def by_choice(kernel, h):
        found = of_chosen(cost, kernel, h, jnp.where(picked, targets, -9), picked)
        return jnp.sum(found * weights), found

    def by_mask(kernel, h):
        found = jnp.where(picked, cost(kernel, h, targets), 0)
        return jnp.sum(found * weights), found

    with pytest.MonkeyPatch.context() as patch, jax.enable_x64(True):
        patch.setattr(chosen, "BLOCK", block)
        actual, wanted = (
            jax.jit(jax.grad(f, argnums=(0, 1), has_aux=True))(kernel, h)
            for f in (by_choice, by_mask)
        )
        close(actual, wanted)


@pytest.mark.parametrize("name", ["adaptive", "mixture", "sampled"])
def test_seeds_side_by_side_are_each_alone(name):
    output = OUTPUTS[name]
    params, h, table = drawn(output, dtype="float32")
    keys = jax.random.split(jax.random.key(0))
    both = *jax.tree.map(lambda a: jnp.stack([a, 0.5 * a]), (params, h)), keys

    def cost(params, h, key):
        rngs = {"dropout": key}
        return jnp.sum(nats_of(output, params, h, table, train=True, rngs=rngs))

    grads = jax.value_and_grad(cost, argnums=(0, 1))
    together = jax.jit(jax.vmap(grads))(*both)
    for k in (0, 1):
        alone = jax.jit(grads)(*jax.tree.map(lambda a, k=k: a[k], both))
        close(jax.tree.map(lambda a, k=k: a[k], together), alone, 1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_all_classes_as_samples_are_the_whole_softmax(tied):
    output, whole = Sampled(V, tied, samples=V), Softmax(V, tied)

    def cost(output, given, **kwargs):
        nats = nats_of(output, *given, **kwargs)
        return jnp.sum(nats), nats

    with jax.enable_x64(True):
        given, rngs = drawn(output), {"dropout": jax.random.key(0)}
        grads = functools.partial(jax.grad, argnums=1, has_aux=True)
        actual = grads(cost)(output, given, train=True, rngs=rngs)
        close(actual, grads(cost)(whole, given))


@pytest.mark.parametrize(("count", "samples"), [(1, 1), (50, 1), (50, 20), (50, 50)])
def test_classes_are_drawn_as_often_as_is_expected(count, samples):
    times = 4000
    keys = jax.random.split(jax.random.key(0), times)
    seen, expected = jax.jit(jax.vmap(lambda key: draw(key, count, samples)))(keys)
    rates = np.bincount(seen.reshape(-1), minlength=count) / times
    each = dict(zip(np.ravel(seen).tolist(), np.ravel(expected).tolist(), strict=True))
    wanted = np.array([each.get(c, 0) for c in range(count)])
    assert abs(wanted.sum() - samples) < 1e-3
    np.testing.assert_allclose(rates, wanted, atol=5 * (0.25 / times) ** 0.5)
    np.testing.assert_array_equal(rates[wanted == 1], 1)
    below = np.log1p(1 / np.arange(1.0, count + 1))[wanted < 1]  # Zipf's law
    np.testing.assert_allclose(wanted[wanted < 1] / below, (wanted[wanted < 1] / below)
                               .mean() if len(below) else 1, rtol=1e-3)  # fmt: skip


def test_rare_classes_of_a_large_vocabulary_are_drawn_as_expected():
    count, samples = 267_735, 8192
    drawn, expected = jax.jit(draw, static_argnums=(1, 2))(
        jax.random.key(0), count, samples
    )
    assert ((drawn >= 0) & (drawn < count)).all() and (expected > 0).all()
    # Each class is worth one over its expectation: the sum is that of all classes.
    assert abs(np.sum(1 / np.asarray(expected, np.float64)) / count - 1) < 0.05


def test_the_mean_gradient_of_samples_is_that_of_the_softmax():
    output, whole = OUTPUTS["sampled"].clone(samples=12), OUTPUTS["softmax"]
    params, h, table = drawn(output, dtype="float32")
    params = jax.tree.map(lambda a: 0.3 * a, params)

    def by_key(params, key):
        rngs = {"dropout": key}
        return nats_of(output, params, h, table, train=True, rngs=rngs).mean()

    keys = jax.random.split(jax.random.key(0), 2000)
    value, mean = jax.tree.map(
        lambda a: np.mean(a, 0),
        jax.jit(jax.vmap(jax.value_and_grad(by_key), (None, 0)))(params, keys),
    )
    wanted, true = jax.value_and_grad(lambda p: nats_of(whole, p, h, table).mean())(
        params
    )
    assert 0.9 < value / wanted < 1  # the logarithm of an estimate is too low
    for m, t in zip(jax.tree.leaves(mean), jax.tree.leaves(true), strict=True):
        assert np.linalg.norm(m - t) < 0.1 * np.linalg.norm(t)


def test_a_mixture_holds_no_logits_of_all_experts(monkeypatch):
    monkeypatch.setattr(losses, "WHOLE", 1 << 16)
    monkeypatch.setattr(losses, "HELD", 1 << 16)
    monkeypatch.setattr(losses, "BLOCK", 1 << 14)
    rows, classes, experts = 64, 4000, 8
    output = Mixture(classes, tied=True, experts=experts)
    h, table = (jax.ShapeDtypeStruct((n, E), "float32") for n in (rows, classes))
    init = functools.partial(output.init, method="logits")
    params = jax.eval_shape(init, jax.random.key(0), h, table)

    def cost(params, h, table):
        zeros = jnp.zeros(rows, int)
        return output.apply(params, h, zeros, table, method="nats").mean()

    grads = jax.jit(jax.grad(cost, argnums=(0, 1, 2)))
    program = grads.lower(params, h, table).compile()
    held = program.memory_analysis().temp_size_in_bytes
    assert held < 4 * rows * classes  # of one expert


@pytest.mark.parametrize(
    ("output", "match"),
    [
        (Adaptive(V, ()), "rise from above 0.*got"),
        (Adaptive(V, (5, 5)), "rise from above 0.*5, 5"),
        (Adaptive(V, (5, V)), "below vocab_size=23.*5, 23"),
        (Adaptive(V, (5,), 2, tied=True), "tail_factor of 1.*got 2"),
        (Mixture(V, tied=True, project=4), "tied.*4 and 6"),
        (Sampled(V, samples=V + 1), "at most vocab_size=23.*got 24"),
    ],
)
def test_what_does_not_fit_is_named(output, match):
    with pytest.raises(ValueError, match=match):
        drawn(output)
