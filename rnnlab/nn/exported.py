"""A language model's step as a program that runs without this code."""

from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import export

from rnnlab.engines import Scan
from rnnlab.nn.language_model import LanguageModel
from rnnlab.nn.parts import Recurring

PLATFORMS = ("cpu", "cuda", "tpu")


class Exported(NamedTuple):
    """What it takes to run a model with JAX alone.

    Attributes:
        program: a function (params, carries, tokens) -> (carries, logits), as
            `jax.export.deserialize` reads it: params as here, carries a list of arrays
            [B, ...], tokens int32 [B], logits float [B, V], for any B.
        params: by path, "stack/Recurrent_0/cell/kernel" say.
        carries: before the first token, [1, ...] each.
    """

    program: bytes
    params: dict[str, jax.Array]
    carries: list[jax.Array]


def step(model: LanguageModel, params: Any) -> Exported:
    """Returns the step of a model, for CPU, CUDA and TPU.

    Raises:
        ImportError: flatbuffers is not installed (extra `export`).
    """
    if isinstance(model.stack, Recurring):  # one step: the plainest engine is as good
        model = model.clone(stack=cast(nn.Module, model.stack).clone(engine=Scan()))
    leaves = jax.tree_util.tree_leaves_with_path(params)
    named = {jax.tree_util.keystr(p, simple=True, separator="/"): x for p, x in leaves}
    inside = jax.tree.structure(params)
    carries, structure = jax.tree.flatten(model.initial((1,)))

    def run(named, carries, tokens):
        params = jax.tree.unflatten(inside, [named[name] for name in order])
        found: Any = model.apply(
            {"params": params}, jax.tree.unflatten(structure, carries), tokens[None]
        )
        after, logits = found
        return jax.tree.leaves(after), logits[0]

    order = list(named)
    (rows,) = export.symbolic_shape("b")
    given = (
        {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in named.items()},
        [jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype) for x in carries],
        jax.ShapeDtypeStruct((rows,), jnp.int32),
    )
    program = export.export(jax.jit(run), platforms=PLATFORMS)(*given)
    return Exported(bytes(program.serialize()), named, carries)
