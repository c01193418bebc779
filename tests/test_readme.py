"""The README does what it says: its commands run, its code runs and learns."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnlab import initializers
from rnnlab.cell import SplitCell
from rnnlab.cells import LSTM
from rnnlab.engines import Deferred, Loop

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def command(name):
    return re.search(rf"<!-- {name} -->\n```sh\n(.*)\n```", README)[1]


def blocks():
    return re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_first_command_trains_and_samples(tmp_path):
    # The steps after the virtual environment, which .ci/run makes in the same way;
    # with this Python, in another folder, and for fewer steps.
    _, _, train, sample = command("first command").split(" && ")
    for line, extra in ((train, ["--steps=3"]), (sample, ["--length=20"])):
        program, *arguments = line.replace('"', "").split(" ")
        assert program == ".venv/bin/python"
        arguments = [a.replace("runs/first", str(tmp_path)) for a in arguments]
        if "launch.sample" in line:
            arguments = arguments[:3] + ["--prompt=The "]
        done = subprocess.run(
            [sys.executable, *arguments, *extra],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The ") and len(done.stdout) == 4 + 20 + 1


def test_the_test_command_is_the_one_that_ci_runs():
    assert command("test command") == ".venv/bin/python -m pytest -q"
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()


def test_the_examples_give_a_gradient_and_mind_lengths():
    example, lengths, wrapped, probed, *_ = blocks()
    names = {"lengths": jnp.arange(32), "key": jax.random.key(0)}
    exec(example, names)
    exec(lengths, names)
    for row, length in enumerate(names["lengths"]):
        written = np.abs(names["y"][:, row]).max(axis=-1) > 0
        np.testing.assert_array_equal(written, np.arange(100) < length)
    grads = names["grads"]
    assert grads["recurrent"].shape == (128, 512)
    assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(grads))
    training, evaluation = wrapped.rsplit("carry, y = run", 1)
    exec(training, names)
    noisy = names["y"]
    exec(f"carry, y = run{evaluation}", names)
    assert not np.allclose(noisy, names["y"])
    exec(probed, names)
    assert names["norms"].shape == (101, 32)
    assert all(0 < float(factor[-1]) < 1.5 for factor in names["fading"])


def test_the_parameters_of_torch_are_taken():
    torch = pytest.importorskip("torch")
    *_, interop, _, _ = blocks()
    names = {"module": torch.nn.LSTM(3, 4, num_layers=2)}
    exec(interop, names)
    assert {k: v.shape for k, v in names["params"].items()} == {
        "kernel": (3, 16),
        "recurrent": (4, 16),
        "bias": (16,),
    }
    np.testing.assert_array_equal(
        names["params"]["kernel"], names["module"].weight_ih_l0.detach().numpy().T
    )


def test_a_problem_is_drawn_and_judged():
    *_, problem = blocks()
    names = {"jax": jax, "Deferred": Deferred}
    exec(problem, names | {"key": jax.random.key(1), "cell": LSTM(8)}, names)
    assert names["draw"].x.shape == (100, 20, 6)
    assert abs(float(names["loss"]) - names["problem"].floor) < 0.5


def test_the_added_cell_runs_on_both_engines():
    *_, cell, _ = blocks()
    names = {
        "dataclasses": dataclasses,
        "SplitCell": SplitCell,
        "jax": jax,
        "jnp": jnp,
        "initializers": initializers,
    }
    exec(cell, names)
    leaky = names["Leaky"](4)
    params = leaky.init(jax.random.key(0), 3)
    x = jax.random.normal(jax.random.key(1), (5, 2, 3))

    def loss(params, engine):
        return (engine(leaky, params, leaky.initial((2,)), x)[1] ** 2).sum()

    by_loop, by_deferred = (
        jax.grad(loss)(params, engine) for engine in (Loop(), Deferred())
    )
    for a, b in zip(*map(jax.tree.leaves, (by_loop, by_deferred)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
