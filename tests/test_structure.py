"""Imports point one way, and importing little costs little."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted((ROOT / "rnnlab").rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): (
        path
    )
    for path in FILES
}
LAYERS = [
    "cell",
    "initializers",
    "activations",
    "weights",
    "cells",
    "wrappers",
    "engines",
    "sequences",
    "probes",
    "nn",
]  # each sees those before
HELPERS = {
    "errors",
    "files",
    "interop",
    "options",
    "problems",
    "windows",
}  # import only each other
TASKLESS = {"training", "data"}  # know no model


def imports(module):
    """Returns the full names of all that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def layers(module):
    """Returns the parts of rnnlab that a module imports."""
    named = (name.split(".") for name in imports(module) if name.startswith("rnnlab."))
    return {parts[1] for parts in named} & {name.split(".")[1] for name in inner()}


def inner():
    return [name for name in MODULES if "." in name]


def test_the_tree_is_read():
    assert {"rnnlab.cell", "rnnlab.cells.lstm", "rnnlab.nn.losses"} <= MODULES.keys()
    assert layers("rnnlab.cells.lstm") == {"activations", "cells"}


@pytest.mark.parametrize("module", inner())
def test_imports_point_one_way(module):
    part = module.split(".")[1]
    seen = layers(module) - {part}
    if part in LAYERS:
        assert seen <= {*LAYERS[: LAYERS.index(part)], *HELPERS}
    elif part in HELPERS:
        assert seen <= HELPERS
    elif part in TASKLESS:
        assert not seen & {*LAYERS}


@pytest.mark.parametrize("module", MODULES)
def test_rnnlab_stands_on_its_own(module):
    roots = {name.split(".")[0] for name in imports(module)}
    assert not roots & {"experiments", "launch", "tests"}
    assert not roots & {"tensorflow", "torch", "haiku", "equinox"}
    if module.startswith("rnnlab.data"):
        assert not roots & {"jax", "flax", "optax"}
    if not module.startswith("rnnlab.nn"):
        assert "flax" not in roots


@pytest.mark.parametrize("module", MODULES)
def test_nothing_runs_what_it_reads(module):
    roots = {name.split(".")[0] for name in imports(module)}
    assert not roots & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}


HEAVY = {"tensorflow", "tensorflow_datasets", "matplotlib", "tensorboardX", "torch"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("rnnlab", {*HEAVY, "jax", "flax", "optax", "numpy"}),
        ("rnnlab.options", {*HEAVY, "jax", "flax", "optax"}),
        ("rnnlab.data.text", {*HEAVY, "jax", "flax", "optax"}),
        ("rnnlab.engines", {*HEAVY, "flax", "optax"}),
    ],
)
def test_importing_pulls_in_no_more_than_it_needs(module, absent):
    code = f"import sys, {module}; print(*{{m.split('.')[0] for m in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout.split()
    assert not absent & set(loaded)
