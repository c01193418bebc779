"""Whatever comes is refused in one line, or it is trained on as it should be."""

import collections
import json
import math
import re
import time

import batches
import jax
import numpy as np
import pytest
import refusals
import texts
from hypothesis import HealthCheck, Phase, given, reject, settings
from lines import begin, good_lines, lines

from launch.flags import LINE, line
from rnnlab import sequences
from rnnlab.cells import Elman
from rnnlab.data import text, tokenizers
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.engines import Loop
from rnnlab.errors import InputError, RunError, StorageError, shown


@pytest.fixture
def fuzzed():
    """Returns a decorator: the test of one input, for so many of them."""

    def fuzzed(strategy, count):
        limits = settings(
            max_examples=count,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=[*HealthCheck],
            phases=[Phase.generate],  # an input is small as it comes
        )
        return lambda test: limits(given(strategy)(test))

    return fuzzed


@pytest.fixture
def compilations():
    """Returns a list that grows with each program that is compiled."""
    seen = []

    def listen(name, seconds, **more):
        if name.endswith("backend_compile_duration"):
            seen.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Returns the environment in which what is kept for a user is this test's."""
    env = {"XDG_CACHE_HOME": str(tmp_path / "home")}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return env


def test_a_command_line_is_refused_or_right(
    server, fuzzed, many, counted, compilations, home, tmp_path
):
    count = collections.Counter()

    @fuzzed(lines(), many(200, 1000))
    def holds(drawn):
        folder = tmp_path / str(count.total())
        argv, data = drawn.lay(folder)
        began = time.monotonic()
        try:
            config, experiment = begin(argv)
        except RunError as error:
            count["refused"] += 1
            assert isinstance(error, InputError | StorageError)
            ended = server.run("run", *argv, env=home)
            refusals.check(ended, code=error.exit_code)
            assert ended.error == line(str(error))
            assert any(part in ended.error for part in _parts(argv))
            assert not refusals.begun(folder)
        else:
            count["accepted"] += 1
            assert drawn.text not in texts.REFUSED
            _check_data(config, experiment, data)
        assert not compilations
        assert time.monotonic() - began < refusals.SLOW

    holds()
    assert min(count["refused"], count["accepted"]) > count.total() / 10
    counted("fuzzed inputs", count.total())


def _parts(argv):
    """Returns the names of the flags that are given, and the beginnings of values.

    As a line shows them, and not of values so short that any line might have them.
    """
    tokens = [token.lstrip("-") for token in argv]
    parts = [part for token in tokens for part in (token, *token.partition("="))]
    quoted = [repr(part) for part in parts]
    parts += [*quoted, *(part[1:-1] for part in quoted), *map(shown, parts)]
    parts += [f"--{part}" for part in parts]
    empty = [repr(token) for token in argv if not token.strip("-=")]
    return [part[:40] for part in parts if len(part) > 2] + empty


def _check_data(config, experiment, data):
    """Asserts that the batches hold the text and nothing else."""
    corpus = text.load(
        str(data),
        config.tokens,
        config.vocab_size,
        config.shares(),
        config.data_dir,
        config.cache_dir,
    )
    assert corpus.fingerprint == experiment.record["fingerprint"]
    tokenizer = tokenizers.from_json(experiment.record["tokenizer"])
    read = [_pieces(tokenizer, ids) for ids in corpus.splits.values()]
    pairs = zip(sum(read, []), _wanted(config.tokens, data), strict=True)
    assert all(got in (piece, "\ufffd", tokenizers.UNKNOWN) for got, piece in pairs)
    ids, batch = corpus.splits["train"], experiment.task.streams["train"][0]
    steps = len(batch.inputs) if config.length_buckets > 1 else config.length
    assert batch.inputs.shape == (steps, config.batch_size)
    assert batch.inputs[:, 0].tolist() == ids[:steps].tolist()
    assert batch.targets[:, 0].tolist() == ids[1 : steps + 1].tolist()


def _pieces(tokenizer, ids):
    """Returns what the ids stand for, line ends aside where they are made."""
    if tokenizer.kind == "byte":
        return ids.tolist()
    if tokenizer.kind in ("char", "subword"):
        return list(tokenizer.decode(ids.tolist()))
    return [word for word in map(tokenizer.words.__getitem__, ids) if word != "<eos>"]


def _wanted(tokens, data):
    raw = texts.content(data)
    if tokens == "byte":
        return list(raw)
    read = raw.decode("utf-8-sig")
    return list(read) if tokens in ("char", "subword") else read.split()


def test_what_is_not_refused_is_trained(server, fuzzed, many, counted, home, tmp_path):
    count = collections.Counter()

    @fuzzed(good_lines(), many(6, 40))
    def holds(drawn):
        count["tried"] += 1
        folder = tmp_path / str(count["tried"])
        argv, _ = drawn.lay(folder)
        try:
            begin(argv)
        except InputError:
            reject()
        ended = server.run("run", *argv, env=home)
        assert ended.code == 0, ended.err
        metrics = (folder / "run" / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(row) for row in metrics]
        losses = [row["loss"] for row in rows if "loss" in row]
        assert len(losses) == 2 and all(map(math.isfinite, losses))
        count["trained"] += 1

    holds()
    counted("fuzzed inputs trained", count["trained"])


def test_ids_are_refused_or_right(fuzzed, many, counted):
    count = collections.Counter()

    @fuzzed(batches.id_batches(), many(200, 1000))
    def holds(drawn):
        spoil, rows, steps, train = drawn
        ids = np.arange(batches.IDS) % 7
        change, right = batches.SPOILED_IDS[spoil]
        try:
            stream = (TrainStream if train else EvalStream)(
                change(ids), rows, steps, vocab_size=7
            )
            windows = list(stream)
        except InputError as error:
            count["refused"] += 1
            _check_message(error)
            large = train and rows * steps >= batches.IDS
            assert not right or min(rows, steps) < 1 or large
            return
        count["accepted"] += 1
        assert windows[0].inputs.shape == (steps, rows)
        assert all(part.dtype == np.int32 for window in windows for part in window[:2])
        _, seen, real = [np.concatenate(p) for p in [*zip(*windows, strict=True)][:3]]
        found = [targets[mask] for targets, mask in zip(seen.T, real.T, strict=True)]
        if train:  # what does not fill a window of each row is left out
            row = (batches.IDS - 1) // rows
            wanted = [ids[b * row + 1 :][: len(seen)] for b in range(rows)]
        else:
            wanted = [ids[1:]]
        assert np.array_equal(np.concatenate(found), np.concatenate(wanted))

    holds()
    assert min(count["refused"], count["accepted"]) > count.total() / 10
    counted("fuzzed batches", count.total())


def test_sequences_are_refused_or_right(fuzzed, many, counted):
    count = collections.Counter()
    cell = Elman(batches.UNITS)
    params = cell.init(jax.random.key(0), batches.UNITS)
    start = cell.initial((batches.ROWS,))

    @fuzzed(batches.sequences(), many(200, 1000))
    def holds(drawn):
        x, marks = drawn
        try:
            carry, y = sequences.run(Loop(), cell, params, start, x, **marks)
        except (ValueError, TypeError) as error:
            count["refused"] += 1
            _check_message(error)
            return
        count["accepted"] += 1
        wanted = _by_hand(params, x, **marks)
        np.testing.assert_allclose(carry, wanted[0], atol=1e-5)
        np.testing.assert_allclose(y, wanted[1], atol=1e-5)

    holds()
    assert min(count["refused"], count["accepted"]) > count.total() / 10
    counted("fuzzed batches", count.total())


def _by_hand(params, x, lengths=None, valid=None, reset=None):
    """Returns the last carry and y of an Elman network in NumPy."""
    w = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    h = np.zeros((batches.ROWS, batches.UNITS))
    y = np.zeros((batches.STEPS, batches.ROWS, batches.UNITS))
    for t, b in np.ndindex(batches.STEPS, batches.ROWS):
        if reset is not None and reset[t, b]:
            h[b] = 0
        if (lengths is None or t < lengths[b]) and (valid is None or valid[t, b]):
            u = x[t, b] @ w["kernel"] + w["bias"]
            h[b] = y[t, b] = np.tanh(u + h[b] @ w["recurrent"])
    return h, y


def test_rows_are_reversed_or_refused(fuzzed, many, counted):
    count = collections.Counter()
    x = np.arange(batches.STEPS * batches.ROWS).reshape(batches.STEPS, batches.ROWS)

    @fuzzed(batches.lengths(), many(50, 250))
    def holds(lengths):
        try:
            found = sequences.flip(x, lengths)
        except (ValueError, TypeError) as error:
            count["refused"] += 1
            _check_message(error)
            return
        count["accepted"] += 1
        wanted = x.copy()
        for b, length in enumerate(np.broadcast_to(lengths, batches.ROWS)):
            wanted[:length, b] = x[:length, b][::-1]
        assert np.array_equal(found, wanted)

    holds()
    assert min(count["refused"], count["accepted"]) > count.total() / 10
    counted("fuzzed batches", count.total())


def _check_message(error):
    """Asserts that an error is a sentence that says what was wanted and what came."""
    message = str(error)
    assert 0 < len(message) <= LINE and "\n" not in message
    assert re.search("got|came|has", message), message
