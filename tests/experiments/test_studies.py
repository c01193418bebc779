"""Each study runs, small, from its configuration to its report, and goes on."""

import dataclasses
import html
import json
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.vanishing_gradients import (
    STUDIES,
    chorales,
    comparison,
    greff,
    jsb,
    lags,
    load,
    repairs,
    report,
    temporal_order,
    truncation,
)
from experiments.vanishing_gradients.network import Network, clipped_sgd, learner
from rnnlab.cells import GRU, LRU, LSTM, Elman
from rnnlab.data import music
from rnnlab.errors import InputError
from rnnlab.problems import Adding, Copy, DelayedRecall, TemporalOrder
from rnnlab.training import grid
from rnnlab.training.grid import Result

TRAINED = {"seeds": 2, "features": 6, "updates": 4, "every": 2, "batch_size": 4}
SMALL = {
    "temporal_order": {**TRAINED, "lengths": "10", "farthest": 12},
    "lags": {**TRAINED, "lengths": "12"},
    "irnn": {**TRAINED, "lengths": "8", "learning_rates": "1e-3,1e-2"},
    "chrono": {**TRAINED, "lengths": "8"},
    "forget_bias": {**TRAINED, "lengths": "8"},
    "unitary": {**TRAINED, "lengths": "8"},
    "truncation": {
        **TRAINED,
        "lengths": "4,8",
        "windows": "5,10",
        "steps_in_all": 10,
    },
    "greff": {"trials": 3, "sizes": "4", "updates": 4, "every": 2, "batch_size": 2},
    "jsb": {**TRAINED, "layers": 2, "batch_size": 2},
    "repairs": {**TRAINED, "lengths": "10"},
    "lyapunov": {"features": 8, "seeds": 1, "points": 3, "steps": 12},
}


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    rng = np.random.default_rng(0)
    pieces = {
        split: [
            [sorted(map(int, rng.integers(40, 80, 3))) for _ in range(n)]
            for n in (5, 8, 6)
        ]
        for split in ("train", "valid", "test")
    }
    pieces["train"][0][2] = []  # a silence
    file = tmp_path_factory.mktemp("music") / "song.json"
    file.write_text(json.dumps(pieces))
    return file


def config(name, song):
    data = {"data": str(song)} if name in ("jsb", "greff") else {}
    return load(name).Config(**SMALL[name], **data)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Studies of many cells look at some of them: each is compiled anew."""
    monkeypatch.setattr(lags, "CELLS", {"tanh": Elman, "LSTM": LSTM, "LRU": LRU})
    kept = {name: greff.VARIANTS[name] for name in (greff.VANILLA, "NFG", "NOAF")}
    monkeypatch.setattr(greff, "VARIANTS", kept)
    some = ("Omega", "Omega, exact", "clip each array, 1")
    some += ("skip over time: leaky units",)
    variants = {name: repairs.VARIANTS[name] for name in some}
    few = dataclasses.replace(repairs.COMPARISON, variants=variants)
    monkeypatch.setattr(repairs, "COMPARISON", few)
    own = dataclasses.replace(repairs.STUDY, protocol=few.protocol, groups=few.groups)
    monkeypatch.setattr(repairs, "STUDY", own)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_from_configuration_to_report(name, song, tmp_path, monkeypatch):
    study, settings = load(name).STUDY, config(name, song)
    results = grid.run(study.groups(settings), tmp_path)
    assert all(math.isfinite(loss) for run in results for _, loss, _ in run.curve)
    findings = study.findings(settings, results)
    assert findings.rows and findings.figures
    assert all(len(row) == len(findings.head) for row in findings.rows)
    starts = ("Reproduced", "Not reproduced")
    assert findings.verdict.startswith(starts) and findings.verdict.endswith(".")
    about = study.title, study.claim, study.source, study.protocol(settings)
    page = report.page(*about, "python -m launch.study", findings, {})
    report.write(tmp_path, findings, page)
    assert html.escape(study.title) in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(grid, "advance", None)  # nothing is run again
    assert len(grid.run(study.groups(settings), tmp_path)) == len(results)


def test_every_study_is_tried():
    assert SMALL.keys() == STUDIES.keys()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_claims(name):
    module = load(name)
    for word in ("Claim: ", "Command: ", "Figure"):
        assert word in module.__doc__
    assert f"--study={name} " in module.__doc__
    assert module.STUDY.source in module.__doc__


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("temporal_order", {"lengths": "9"}, "at least 10, got 9"),
        ("temporal_order", {"lengths": "20,x"}, "whole numbers like 20,50,100"),
        ("temporal_order", {"lengths": "20,20"}, "each number once"),
        ("truncation", {"lengths": "64"}, "lag to be less than steps"),
        ("truncation", {"windows": "0,4"}, "windows"),
        ("truncation", {"windows": "8,10"}, "divide --steps_in_all=64, .* got 10"),
        ("truncation", {"windows": "64"}, "one beyond a lag and one that is not"),
        ("truncation", {"windows": "2,4"}, "one beyond a lag and one that is not"),
        ("greff", {"trials": 1, "sizes": "32"}, "2 or more, .* got 1 of 32"),
        ("irnn", {"learning_rates": "0"}, "positive numbers"),
        ("irnn", {"learning_rates": "1e-3,inf"}, "positive numbers"),
        ("irnn", {"seeds": 0}, "--seeds must be above 0"),
    ],
)
def test_a_bad_configuration_is_one_sentence(name, flags, said):
    with pytest.raises(InputError, match=said):
        load(name).Config(**flags)


@pytest.mark.parametrize("name", ["irnn", "forget_bias"])
def test_a_length_that_a_problem_refuses_is_named(name):
    module = load(name)
    with pytest.raises(InputError, match="--lengths=1: .* at least 2"):
        module.STUDY.groups(module.Config(lengths="1"))


@pytest.mark.parametrize("name", ["jsb", "greff"])
def test_music_is_asked_for(name):
    module = load(name)
    with pytest.raises(InputError, match="--data must name a file"):
        module.STUDY.groups(module.Config())


@pytest.mark.parametrize("name", ["jsb", "greff"])
def test_more_rows_than_pieces_are_refused(name, song):
    module = load(name)
    with pytest.raises(InputError, match="--batch_size must be at most the 3 pieces"):
        module.STUDY.groups(module.Config(data=str(song), batch_size=4))


# --- what the studies are made of ---


@pytest.mark.parametrize(
    "problem", [Adding(7), Copy(3, items=2), TemporalOrder(10)], ids=repr
)
def test_a_network_says_what_its_parts_say(problem):
    network = Network(GRU(5), problem, rows=3)
    params = network.init(jax.random.key(0))
    draw = problem.draw(jax.random.key(1), 3)
    h = jnp.zeros((3, 5))
    cell, said = network.cell, []
    for x in draw.x:
        u = cell.project(params["cell"], x)
        h, y = cell.step(params["cell"], h, u)
        said.append(y @ params["output"]["kernel"] + params["output"]["bias"])
    wanted = jnp.stack(said)[-len(draw.y) :]
    found = network.said(params, draw.x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    loss, grads = network.gradient(params, jax.random.key(1), {})
    np.testing.assert_allclose(loss, problem.loss(wanted, draw), rtol=1e-5)
    assert jax.tree.structure(grads) == jax.tree.structure(params)


def test_omega_of_weight_zero_is_the_plain_gradient():
    network = Network(Elman(5), TemporalOrder(10), rows=3)
    params = network.init(jax.random.key(0))
    plain = network.gradient(params, jax.random.key(1), {})
    other = network.gradient_with_omega(params, jax.random.key(1), {"omega": 0.0})
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_temporal_order_begins_as_the_paper_says():
    network = Network(Elman(40), TemporalOrder(10), 4)
    for _, knobs in temporal_order.INITS.values():
        made = learner(network, clipped_sgd, temporal_order.draw).init(
            jax.random.key(0), knobs
        )
        recurrent = np.asarray(made["cell"]["recurrent"])
        assert not made["cell"]["bias"].any() and not made["output"]["bias"].any()
        kernel = np.asarray(made["cell"]["kernel"])
        assert kernel.std() == pytest.approx(knobs["deviation"], rel=0.15)
        if knobs["sparse"]:
            assert ((recurrent != 0).sum(0) == 15).all()
            radius = np.abs(np.linalg.eigvals(recurrent)).max()
            assert radius == pytest.approx(0.95, rel=5e-3)
        else:
            assert recurrent.std() == pytest.approx(knobs["deviation"], rel=0.05)


def test_lags_are_those_of_the_gradient_by_the_state():
    network = Network(Elman(5), Adding(6), rows=3)
    params = network.init(jax.random.key(0))
    key = jax.random.key(1)
    logs = lags.reach(network, params, key, {})
    draw = network.problem.draw(key, lags.ROWS)
    own = params["cell"]

    def from_state(h, t):
        for x in draw.x[t:]:
            h, _ = network.cell.step(own, h, network.cell.project(own, x))
        said = h @ params["output"]["kernel"] + params["output"]["bias"]
        return network.problem.loss(said[None], draw)

    h, norms = jnp.zeros((lags.ROWS, 5)), []
    for t in range(6):
        norms.insert(0, np.linalg.norm(jax.grad(from_state)(h, t), axis=-1))
        h, _ = network.cell.step(own, h, network.cell.project(own, draw.x[t]))
    wanted = np.log10(np.array(norms[:-1]) / norms[0]).mean(-1)
    np.testing.assert_allclose(logs, wanted, rtol=1e-3, atol=1e-4)


def test_nats_of_chorales_are_the_mean_over_predicted_steps():
    rng = np.random.default_rng(0)
    said = rng.normal(size=(4, 2, 3))
    notes = rng.integers(0, 2, (4, 2, 3)).astype(float)
    lengths = np.array([5, 3])
    said, notes = said.astype(np.float32), notes.astype(np.float32)
    odds = 1 / (1 + np.exp(-said))
    each = -np.log(np.where(notes > 0, odds, 1 - odds)).sum(-1)
    wanted = (each[:, 0].sum() + each[:2, 1].sum()) / 6
    np.testing.assert_allclose(chorales.nats(said, notes, lengths), wanted, rtol=1e-5)


def test_music_is_read_as_keys(song, tmp_path):
    rolls = music.load(song)
    notes, lengths = rolls["train"]
    assert notes.shape == (8, 3, 88) and lengths.tolist() == [5, 8, 6]
    pieces = json.loads(song.read_text())["train"]
    for k, piece in enumerate(pieces):
        for t in range(8):
            keys = {p - 21 for p in piece[t]} if t < len(piece) else set()
            assert {*np.flatnonzero(notes[t, k])} == keys
    bad = tmp_path / "bad.json"
    for content, said in [
        ("[]", "pieces by train"),
        ('{"train": [], "valid": [], "test": []}', "none"),
        ('{"train": [[[60]]], "valid": [], "test": []}', "2 steps or more"),
        ('{"train": [[[60], [20]]], "valid": 1, "test": 1}', "got 20 in train piece 0"),
        ('{"train": [[[60], ["a"]]], "valid": 1, "test": 1}', "got 'a'"),
        ("{", "should hold JSON"),
    ]:
        bad.write_text(content)
        with pytest.raises(InputError, match=said):
            music.load(bad)


def result(curve, solved=False, diverged=False, **name):
    return Result(name, curve[-1][0], solved, diverged, curve, [], 1.0)


def test_summaries_count_and_spread():
    runs = [
        result([(2, 1.0, 0.5), (4, 0.1, 0.002)], solved=True),
        result([(2, 1.0, 0.5), (4, 0.3, 0.2), (6, 0.2, 0.1)]),
        result([(2, None, None)], diverged=True),
    ]
    assert comparison.summary(runs) == (
        "1 of 3",
        "4",
        "0.1500 [0.1000, 0.2000], 1 diverged",
        "5.1% [0.2%, 10.0%], 1 diverged",
    )
    assert comparison.quality(runs[:1]) < comparison.quality(runs[1:2])
    assert comparison.quality(runs[1:2]) < comparison.quality(runs[2:])


def test_the_best_rate_is_that_of_fewest_errors():
    low = result([(2, 1.0, 0.5)], problem="p", variant="v", rate=0.1)
    high = result([(2, 1.0, 0.4)], problem="p", variant="v", rate=0.2)
    assert comparison.at_best([low, high]) == {("p", "v"): [high]}


def test_of_rates_that_solve_nothing_the_best_has_the_lowest_loss():
    runs = [
        result([(2, loss, 1.0)], problem="p", variant="v", rate=rate)
        for rate, loss in ((0.1, 0.5), (0.2, 0.01), (0.3, None))
    ]
    for order in (runs, runs[::-1]):
        assert comparison.at_best(order) == {("p", "v"): [runs[1]]}


def test_a_gradient_that_is_gone_has_no_lag():
    """It is no small number, which would seem to stay."""
    network = Network(Elman(5), Adding(6), rows=3)
    params = network.init(jax.random.key(0))
    params["cell"]["recurrent"] = jnp.zeros((5, 5)).at[0, 1].set(1)  # twice is zero
    logs = lags.reach(network, params, jax.random.key(1), {})
    np.testing.assert_array_equal(logs, [0, *[np.nan] * 4])


def test_an_edge_of_chaos_that_is_not_there_does_not_move():
    study = load("lyapunov")
    config = study.Config(points=3, features=1)
    results = [
        result([(0, None, None)], **point.name)._replace(measured=[(0, [-1.0])])
        for group in study.groups(config)
        for point in group.points
    ]
    said = study.findings(config, results).verdict
    assert said.startswith("Not reproduced") and "at a gain of none" in said


def test_chorales_are_tested_at_their_best_validation():
    run = SimpleNamespace(
        curve=[(2, 1.0, 9.0), (4, 1.0, 8.0), (6, None, None)],
        measured=[[0, 12.0], [2, 9.5], [4, 8.5], [6, 7.0]],
    )
    assert jsb.at_best(run) == (8.0, 8.5, 4)


def test_truncation_reaches_its_window_and_no_farther():
    """A window that ends before the mark leaves its input without a gradient."""
    problem = DelayedRecall(10, 6)
    draw = problem.draw(jax.random.key(0), 3)
    full = Network(LSTM(4), problem, 3)
    params = full.init(jax.random.key(1))
    for window, reaches in ((5, False), (10, True)):
        cut = truncation.Truncated(full.runs_on(), window)
        network = Network(LSTM(4), problem, 3, cut)

        def loss(x, network=network):
            return problem.loss(network.said(params, x), draw)

        by_step = np.abs(jax.grad(loss)(draw.x)).sum((1, 2))
        assert (by_step[3] > 0) == reaches and by_step[9] > 0


def test_what_a_bias_of_one_gains_is_told_by_problem():
    """On the first it does as well as the GRU, on the second as badly as without."""
    study = load("forget_bias")
    after = {"adding, T = 50": (2400, 800, 800), "delayed recall, T = 50": (0, 0, 400)}
    runs = []
    for problem, updates in after.items():
        for variant, until in zip(study.COMPARISON.variants, updates, strict=True):
            curve = [(until, 0.1, 0.0)] if until else [(3000, 1.0, 0.9)]
            name = {"problem": problem, "variant": variant, "rate": 3e-3}
            runs.append(result(curve, solved=until > 0, **name))
    assert study.findings(study.Config(), runs).verdict == (
        "Reproduced in part: runs solved at adding, T = 50 (LSTM, bias 0: 1 of 1 in a"
        " median of 2,400 updates, LSTM, bias 1: 1 of 1 in a median of 800 updates,"
        " GRU: 1 of 1 in a median of 800 updates); delayed recall, T = 50 (LSTM, bias"
        " 0: 0 of 1, LSTM, bias 1: 0 of 1, GRU: 1 of 1 in a median of 400 updates)."
    )


@pytest.mark.parametrize(
    ("worst", "best", "begin"),
    [
        (
            ("NFG", "NOAF"),
            greff.VANILLA,
            "Reproduced: clearly better than vanilla is",
        ),
        (("NFG", "NIG"), greff.VANILLA, "Reproduced in part: clearly better than"),
        (
            ("NFG", "NOAF"),
            "NP",
            "Reproduced in part: clearly better than vanilla is NP",
        ),
    ],
)
def test_a_search_is_judged_by_all_that_was_claimed(worst, best, begin):
    results = []
    for variant in (greff.VANILLA, "NFG", "NOAF", "NIG", "NP"):
        level = 20 if variant in worst else 5 if variant == best else 10
        for k in range(10):
            error = level + k / 10
            searched = {"rate": 10.0**-k, "momentum": k % 3, "noise": k % 2}
            name = {"variant": variant, "units": 32, "trial": k, **searched}
            one = result([(2, 1.0, error)], **name)
            results.append(one._replace(measured=[(2, error)]))
    assert greff.findings(greff.Config(), results).verdict.startswith(begin)


def test_a_variant_that_always_diverges_is_the_worst():
    results = []
    for variant in (greff.VANILLA, "NFG", "NOAF"):
        for k in range(4):
            searched = {"rate": 10.0**-k, "momentum": k % 3, "noise": k % 2}
            name = {"variant": variant, "units": 32, "trial": k, **searched}
            lost = variant == "NOAF"
            one = result([(2, None, None if lost else 1.0 + k)], lost, lost, **name)
            results.append(one._replace(measured=[(2, None if lost else 1.0 + k)]))
    said = greff.findings(greff.Config(), results).verdict
    assert "worst are NOAF and " in said
