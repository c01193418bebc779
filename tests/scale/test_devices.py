"""Rows spread over 1, 2, 4 and 8 devices: the same run, and only gradients are sent."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from experiments.language_modeling.build import build
from experiments.language_modeling.config import Config
from launch import scaling
from rnnlab.data.streams import EvalStream, TrainStream
from rnnlab.errors import InputError
from rnnlab.training import mesh
from tests.scale import spread

ROOT = Path(__file__).parents[2]
NAMES = [f"{rule}-{count}" for rule, count in spread.SPREAD]
MODEL = scaling.sizes(features=8, vocab_size=16, layers=1)


@functools.cache
def results():
    """Returns what `spread` found, with eight devices made of the processor."""
    flags = os.environ.get("XLA_FLAGS", "")
    forced = "--xla_force_host_platform_device_count=8"
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.scale.spread", folder],
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"{flags} {forced}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_the_metrics_are_those_of_one_device(name):
    """With dropout, and an evaluation of three rows, which no number divides."""
    wanted, found = results()["replicated-1"], results()[name]
    assert len(found["rows"]) == len(wanted["rows"]) > 12
    for row, other in zip(wanted["rows"], found["rows"], strict=True):
        assert row.keys() == other.keys()
        values = [*other.values()], [*row.values()]
        np.testing.assert_allclose(*values, rtol=1e-5)
    np.testing.assert_allclose(found["test"], wanted["test"], rtol=1e-5)


@pytest.mark.parametrize("name", ["tcn", "transformer"])
def test_other_bodies_lose_as_much_on_two_devices(name):
    one, two = results()[name]
    assert len(one) == 5
    np.testing.assert_allclose(two, one, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_is_what_the_model_of_cost_counts(name):
    """See docs/scaling.md; beside it go a few scalars, 4 bytes each at most."""
    sent = results()[name]["sent"]
    rule, _ = name.split("-")
    assert sent.pop("all-gather", 0) == scaling.gathered(MODEL, rule)
    assert 0 < sent.pop("all-reduce") - scaling.reduced(MODEL) <= 32
    assert not sent


MB_A_SECOND = scaling.Network("of a test", 1e6, 0.0)
SENT = [  # rule, devices, and the bytes that each of them sends
    ("replicated", 1, 0),
    ("replicated", 2, 3_000_000),  # a half each, twice
    ("replicated", 4, 4_500_000),
    ("fsdp", 2, 4_000_000),
    ("fsdp", 4, 6_000_000),
]


@pytest.mark.parametrize("rule, devices, sent", SENT)
def test_the_model_of_cost_is_that_of_a_ring(rule, devices, sent):
    model = scaling.Sizes(narrow=1_000_000, wide=2_000_000)
    seconds = scaling.sending(model, rule, devices, MB_A_SECOND)
    assert seconds == pytest.approx(sent / 1e6)
    share = scaling.efficiency(model, rule, devices, MB_A_SECOND, step=3.0)
    assert share == pytest.approx(3 / (3 + sent / 1e6))
    slow = MB_A_SECOND._replace(latency=0.1)
    turns = (devices - 1) * {"replicated": 2, "fsdp": 3}[rule]
    late = scaling.sending(model, rule, devices, slow)
    assert late == pytest.approx(seconds + 0.1 * turns)


KEPT = (".optimizer[1][0].mu", ".optimizer[1][0].nu")


@pytest.mark.parametrize("name", NAMES)
def test_wide_parameters_are_cut_with_what_is_kept_of_them(name):
    """By Adam, and their mean."""
    rule, count = name.split("-")
    found = results()[name]
    cut = {path for path, spec in found["lies"].items() if spec != str(P())}
    memory = {".memory[0].c", ".memory[0].h"}
    wide = {
        f"{where}{leaf}"
        for where in (*KEPT, ".params", ".average.params")
        for leaf in ("['embedding']", "['output']['decoder']")
    }
    assert cut == (memory | wide if rule == "fsdp" else memory)
    counter = 4  # Adam's, of steps
    parts = int(count) if rule == "fsdp" else 1
    assert found["bytes"] == 3 * (MODEL.narrow + MODEL.wide // parts) + counter


def test_a_checkpoint_is_restored_on_other_devices():
    pairs = {name: hash for name, hash in results().items() if " to " in name}
    assert len(pairs) == 3
    for name, hash in pairs.items():
        assert hash == results()[name.split(" to ")[0]]["hash"]


def test_processes_with_other_numbers_of_devices_are_refused():
    devices = [types.SimpleNamespace(process_index=k // 2, id=k) for k in range(3)]
    with pytest.raises(InputError, match="in each process were wanted, .* 2, 1;"):
        mesh.over(devices, "replicated")


@pytest.mark.parametrize(
    "size, ways", [(4, "--batch_size=8."), (20, "--batch_size=16 or --batch_size=24.")]
)
def test_a_batch_that_cannot_be_shared_is_refused(size, ways):
    eight = types.SimpleNamespace(padded=lambda rows: -(-rows // 8) * 8)
    with pytest.raises(InputError, match=f"the 8 devices, .* got {size}; take {ways}"):
        build(Config(batch_size=size, data="/nowhere"), eight)


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 6])
def test_shares_put_together_are_the_batch(parts):
    """In training, and in evaluation, which pads 10 rows to what `parts` divides."""
    ids, rows = np.arange(200, dtype=np.uint8), 12
    padded = -(-10 // parts) * parts
    for kind, count, whole in [(TrainStream, rows, rows), (EvalStream, 10, padded)]:
        each = whole // parts
        shares = [
            kind(ids, count, 3, 200, slice(k * each, k * each + each))
            for k in range(parts)
        ]
        alone = kind(ids, count, 3, 200)
        assert {len(share) for share in shares} == {len(alone)}
        for k in range(len(alone)):
            batches = [share[k] for share in shares]
            for field in ("inputs", "targets", "mask"):
                found = np.concatenate([getattr(b, field) for b in batches], axis=1)
                np.testing.assert_array_equal(
                    found[:, :count], getattr(alone[k], field)
                )
                assert not found[:, count:].any()
            assert {bool(b.reset) for b in batches} == {bool(alone[k].reset)}
