"""What is measured on a trained model: order, adaptation, masks, intervals, groups."""

import functools

import jax
import numpy as np
import pytest

from experiments import interval
from experiments.language_modeling import (
    adapt,
    breakdown,
    findings,
    masks,
    reading,
    shaded,
)
from experiments.language_modeling.breakdown import Told
from experiments.language_modeling.config import Config
from experiments.language_modeling.regularization import Regularization
from experiments.language_modeling.task import LanguageTask
from experiments.language_modeling.ways import Cache, Dynamic, Way, ways
from rnnlab.cells import Elman
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.data.tokenizers import Byte, Char, Word
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.training.evaluate import evaluator

V = 6
IDS = np.random.default_rng(0).integers(0, V, 701).astype(np.uint8)
IDS[300:] = np.tile([1, 4, 2, 2, 5], 81)[:401]  # what follows it gets easier


@functools.lru_cache
def make(rows=3, dropout=0.0):
    streams = {
        "train": TrainStream(IDS, 2, 5, V),
        "valid": EvalStream(IDS, rows, 10, V),
    }
    model = LanguageModel(4, Stack((Elman(4),)), Softmax(V), dropout_out=dropout)
    task = LanguageTask(model, streams, {"train": 2, "valid": rows})
    return task, task.init(jax.random.key(0))


def test_targets_come_back_in_the_order_of_the_text():
    task, params = make()
    text = reading.whole(task, "valid")
    np.testing.assert_array_equal(reading.in_order(text.targets, text.mask), IDS[1:])
    nats = reading.split_costs(task, params, "valid")
    assert nats.mean() == pytest.approx(evaluator(task)(params, "valid"), rel=1e-6)


def test_pieces_are_the_text_and_padding():
    text = reading.whole(make()[0], "valid")
    found = list(reading.pieces(text, 64))
    assert len(found) == 4 and found[-1].inputs.shape == (64, 3)
    joined = np.concatenate([piece.inputs for piece in found])
    np.testing.assert_array_equal(joined[:240], text.inputs)
    assert not found[-1].mask[-16:].any()
    assert len(reading.beginning(text, 31).inputs) == 10


SETTINGS = {
    "rms": Dynamic("rms", 4, dynamic_rate=0.003),
    "sgd": Dynamic("sgd", 4, dynamic_rate=0.3),
}


def adapting(rows=3):
    task, params = make(rows)
    size = adapt.sizes(task, params, 4, 20)
    return adapt.Adapting(task, params, size), reading.whole(task, "valid")


@pytest.mark.parametrize("rule", SETTINGS)
def test_each_way_lowers_the_nats_and_off_is_plain(rule):
    model, text = adapting(rows=1)
    compared = ways(SETTINGS[rule], Cache(20, 1.0, 0.2))
    means = {name: model.costs(way, text).mean() for name, way in compared.items()}
    plain, followed, cached, both = means.values()
    assert both < min(followed, cached) and max(followed, cached) < 0.95 * plain
    off = ways(Dynamic(rule, 4, dynamic_rate=0.0), Cache(20, 1.0, 0.0))
    first, *others = (model.costs(way, text) for way in off.values())
    for nats in others:
        np.testing.assert_allclose(nats, first, rtol=2e-6)


def test_tuning_finds_settings_no_worse_than_those_given():
    model, text = adapting()
    given = ways(SETTINGS["sgd"], Cache(20, 1.0, 0.1))
    tuned = model.tuned(given, text)
    assert tuned.keys() == given.keys() and tuned["plain"] == given["plain"]
    for name in given.keys() - {"plain"}:
        wanted = model.costs(given[name], text).mean()
        assert model.costs(tuned[name], text).mean() < wanted
    assert tuned["dynamic"].dynamic.rate in [0.3 * factor for factor in adapt.FACTORS]
    assert tuned["dynamic and cache"].dynamic == tuned["dynamic"].dynamic
    with pytest.raises(InputError, match="finite.*--dynamic_rate"):
        model.tuned({"": Way(Dynamic("sgd", 4, dynamic_rate=1e37))}, text)


def test_settings_that_are_given_are_tried_too(monkeypatch):
    model, text = adapting()
    monkeypatch.setattr(adapt, "FACTORS", (1.0,))
    for name in ("DECAYS", "THETAS", "SHARES"):
        monkeypatch.setattr(adapt, name, ())
    given = {"": Way(Dynamic("sgd", 4, 0.3, 0.02), Cache(20, 0.7, 0.07))}
    assert model.tuned(given, text) == given


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Cache(0), "--cache_size must be above 0, got 0"),
        (lambda: Cache(5, cache_lambda=1.0), "--cache_lambda must be below 1, got 1"),
        (lambda: Cache(5, cache_lambda=-0.1), "--cache_lambda must be at least 0"),
        (lambda: Dynamic("rms", 0), "--dynamic_length must be above 0"),
        (lambda: ways(Dynamic(), Cache()), "--cache_size is wanted, got none"),
        (
            lambda: ways(Dynamic(dynamic_decay=0.1), Cache(5)),
            "--dynamic_decay needs --dynamic=rms or sgd, got 0.1",
        ),
        (
            lambda: ways(Dynamic("sgd"), Cache(cache_theta=0.1)),
            "--cache_theta needs --cache_size, got 0.1",
        ),
        (lambda: masks.check(Config()), "--masks needs a model that was trained with"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_masks_are_known_by_any_rate():
    masks.check(Config(dropout=0.1))
    masks.check(Config(regularization=Regularization(weight_drop=0.1)))


def test_the_mean_of_masks_by_hand():
    p = np.array([[0.5, 0.2, 1e-9], [0.1, 0.2, 1e-9]])
    found = masks.spread(-np.log(p))
    np.testing.assert_allclose(np.exp(-found.nats), [0.3, 0.2, 1e-9], rtol=1e-12)
    np.testing.assert_allclose(found.alone, -np.log(p).mean(1))
    assert found.deviation == pytest.approx(np.log(5) / 2 / 3)


def test_masks_differ_and_their_mean_is_better_than_one():
    task, params = make(dropout=0.5)
    each = masks.costs(task, params, "valid", 4, 10)
    found = masks.spread(each)
    assert each.shape == (4, 700) and found.deviation > 0.01
    assert found.nats.mean() < found.alone.min()
    task, params = make()  # nothing is dropped
    each = masks.costs(task, params, "valid", 2, 10)
    nats = reading.split_costs(task, params, "valid")
    np.testing.assert_allclose(each, np.stack([nats, nats]), rtol=1e-5)


def test_an_interval_holds_the_mean_as_often_as_it_says():
    """Of independent costs; the width is that of the normal law."""
    rng, hits, widths = np.random.default_rng(0), 0, []
    for _ in range(40):
        low, high = interval.interval(rng.exponential(2.0, 4000))
        hits += low < 2 < high
        widths.append(high - low)
    assert 33 <= hits <= 40
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 2 / 4000**0.5, rel=0.2)


def test_an_interval_knows_that_neighbours_are_alike():
    repeated = np.repeat(np.random.default_rng(1).normal(size=1000), 10)
    low, high = interval.interval(repeated)
    assert high - low == pytest.approx(2 * 1.96 / 1000**0.5, rel=0.25)
    assert interval.interval(np.full(50, 1.5)) == (1.5, 1.5)
    assert interval.interval(np.array([1.5])) == (1.5, 1.5)


TARGETS = np.array([0, 2, 1, 1, 2, 0, 2, 1])
NATS = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
CONFIDENCE = np.array([0.1, 0.12, 0.55, 0.55, 0.55, 0.95, 1.0, 0.98])
RIGHT = np.array([0, 1, 1, 1, 0, 1, 1, 1], bool)
TOLD = Told(TARGETS, NATS, CONFIDENCE, RIGHT, np.arange(1, 9))


def test_groups_by_hand():
    rare, often = breakdown.by_frequency(TOLD, np.array([0, 9, 10]))[::2]
    assert (rare.name, rare.count, rare.mean, rare.total) == ("0", 2, 3.5, 7.0)
    assert (often.name, often.count) == ("10 to 99", 3)
    assert often.share == pytest.approx(14 / 36)
    since = breakdown.since_line_end(TARGETS == 1)
    np.testing.assert_array_equal(since, [1, 2, 3, 0, 0, 1, 2, 3])
    groups = breakdown.by_place(TOLD, since)
    assert [(g.name, g.count, g.total) for g in groups] == [
        ("0", 2, 9),
        ("1", 2, 7),
        ("2 to 3", 4, 20),
    ]
    dearest = breakdown.dearest_types(TOLD, "abc", 2)
    assert [(g.name, g.total) for g in dearest] == [("b", 15), ("c", 14)]
    np.testing.assert_array_equal(breakdown.dearest_places(TOLD, 3), [7, 6, 5])


def test_calibration_by_hand():
    bins = breakdown.reliability(TOLD)
    assert [b.count for b in bins] == [0, 2, 0, 0, 0, 3, 0, 0, 0, 3]
    assert bins[0].accuracy is None and bins[5].accuracy == pytest.approx(2 / 3)
    assert bins[9].confidence == pytest.approx(2.93 / 3)
    error = 2 * abs(0.5 - 0.11) + 3 * abs(2 / 3 - 0.55) + 3 * abs(1 - 2.93 / 3)
    assert breakdown.calibration_error(bins) == pytest.approx(error / 8)


def test_what_is_told_is_what_the_model_says():
    task, params = make()
    told = breakdown.told(task, params, "valid")
    nats = reading.split_costs(task, params, "valid")
    np.testing.assert_allclose(told.nats, nats, rtol=1e-6)
    np.testing.assert_array_equal(told.targets, IDS[1:])
    np.testing.assert_allclose(
        told.confidence[told.right], np.exp(-nats[told.right]), rtol=1e-5
    )
    # Three rows of 240 steps at most.
    np.testing.assert_array_equal(told.since_start[[0, 1, 233, 234]], [1, 2, 234, 1])


@pytest.mark.parametrize(
    ("tokenizer", "ids", "wanted"),
    [
        (Char("\n <a"), [3, 1, 2, 0, 3], ["a", " ", "<", "\n", "a"]),
        (Word(("<eos>", "a", "<b")), [1, 2, 0, 1], ["a", " <b", "\n", "a"]),
        (Byte(), [97, 10, 60, 97], ["a", "\n", "<", "a"]),
        (Byte(), [97, 0xC3, 0xA9, 60], ["a", "", "é", "<"]),
    ],
)
def test_a_page_shows_the_text_in_shades(tokenizer, ids, wanted):
    assert findings.pieces(np.array(ids), tokenizer) == wanted
    told = Told(np.array(ids), np.arange(len(ids)) + 0.1, *np.ones((3, len(ids))))
    found = findings.Findings(told, {}, (), (), (findings.Place(0, "<x", "y", 2.0),))
    page = shaded.page("a <title>", {"loss": 1.0, "by": {}}, found, tokenizer, 3)
    assert '<span class="c0" title="0.10 nats">a</span>' in page
    assert page.count(' nats">') == 3
    assert "a &lt;title>" in page or "a &lt;title&gt;" in page
    assert "&lt;x" in page and "<x" not in page


def test_a_token_is_called_by_its_text_or_its_bytes():
    names = [findings._name(Byte(), i) for i in (97, 10, 0xC3)]
    assert names == ["a", r"'\n'", r"b'\xc3'"]
    assert findings._name(Word(("<eos>", "a")), 0) == r"'\n'"


def test_shades_grow_with_the_cost():
    assert [shaded.shade(c) for c in (0, 0.25, 0.3, 1.5, 8, 99)] == [0, 1, 1, 3, 6, 6]
