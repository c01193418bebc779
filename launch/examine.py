"""What a trained language model does with its gradients and its state, by layer."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_modeling.probe import of_layers
from experiments.language_modeling.task import LanguageTask
from rnnlab.cell import Cell
from rnnlab.data.streams import Batch
from rnnlab.errors import InputError
from rnnlab.nn.layers import Layer
from rnnlab.nn.parts import Recurring
from rnnlab.probes import gates, gradients, jacobians, lyapunov, truncation

ROWS = 8  # of the split that are looked at
WINDOW = 8  # steps that a product of Jacobians is taken over
LARGEST = 512  # numbers in a state whose Jacobian is still a matrix
COUNT = 4  # singular values of larger ones, and Lyapunov exponents
QUANTILES = (0.1, 0.5, 0.9)


def sequence(batches: Iterable[Batch]) -> Batch:
    """Returns batches one after the other, the rows that have a token at each step.

    Raises:
        InputError: there are not enough steps for a window and one before it.
    """
    inputs, targets, mask = (
        np.concatenate(a) for a in list(zip(*batches, strict=True))[:3]
    )
    steps = int(mask.sum(0).max())
    if steps <= WINDOW:
        raise InputError(
            f"A split with rows of more than {WINDOW} tokens is wanted, got {steps};"
            f" raise --batches, or take another --split."
        )
    whole = np.flatnonzero(mask[:steps].all(0))[:ROWS]
    inputs, targets, mask = (a[:steps, whole] for a in (inputs, targets, mask))
    return Batch(inputs, targets, mask, np.asarray(True))


def examine(task: LanguageTask, params: Any, batch: Batch, length: int) -> Any:
    """Returns all figures as plain data: arrays as NumPy's, under "curves".

    Args:
        task: whose model it is.
        params: of the model.
        batch: one long sequence, [T, B].
        length: the steps that the model was trained through.

    Raises:
        InputError: a carry of whole numbers, of which there are no derivatives; or
            layers that are not recurrent.
    """
    if not isinstance(task.model.stack, Recurring):
        raise InputError(
            f"A model of recurrent layers was wanted, to probe what they carry, got one"
            f" of {type(task.model.stack).__name__}; name the --workdir of another."
        )
    cells = task.model.stack.cells
    for cell in cells:
        try:
            gradients.differentiable(cell, cell.initial(()))
        except TypeError as error:
            raise InputError(str(error)) from error
    memory = task.model.initial(batch.inputs.shape[1:])

    @jax.jit
    def look(params):
        found = of_layers(task, params, memory, batch)
        return [
            (layer._replace(cell=None), norms.mean(1), gates.watch(*layer))
            for layer, norms in found.values()
        ]

    found = []
    for cell, (layer, norms, seen) in zip(cells, look(params), strict=True):
        layer = layer._replace(cell=cell)
        found.append(_of_run(norms, seen) | _of_steps(layer, seen.carries))
    return {
        "steps": len(batch.inputs),
        "rows": batch.inputs.shape[1],
        "layers": found,
        "truncation": _truncation(task, params, batch, length),
    }


def _of_run(norms: jax.Array, seen: gates.Watched) -> dict[str, Any]:
    """Returns what is told by the norms by lag [T] and by the run."""
    times = {
        name: np.sort(np.asarray(gates.forget_time(kept.mean((0, 1)))), axis=None)
        for name, kept in seen.kept.items()
    }
    sizes = {name: np.asarray(a) for name, a in gates.state_norms(seen.carries).items()}
    return {
        "decay_rate": float(gradients.rate(norms)),
        "effective_memory": float(gradients.memory(norms)),
        "saturation": {
            name: {"low": float(shares.low.mean()), "high": float(shares.high.mean())}
            for name, shares in gates.saturation(seen.activations).items()
        },
        "forget_time": {
            name: {
                f"{q:.0%}": float(np.quantile(t, q, method="nearest"))
                for q in QUANTILES
            }
            for name, t in times.items()
        },
        "norm": {name: float(a.mean()) for name, a in sizes.items()},
        "curves": {
            "gradient_norm": np.asarray(norms),
            "forget_time": times,
            "norm": sizes,
        },
    }


def _of_steps(layer: Layer, carries: Any) -> dict[str, Any]:
    """Returns what Jacobians and exponents of the first row say."""
    cell, own, carry, x = layer
    start, row = (
        jax.tree.map(lambda a: a[0], tree) for tree in (carry, x.swapaxes(0, 1))
    )
    late = jax.tree.map(lambda a: a[-WINDOW - 1, 0], carries)
    size = sum(a.size * (1 + jnp.iscomplexobj(a)) for a in jax.tree.leaves(start))
    key = jax.random.key(0)

    @jax.jit
    def exponents(own):
        count, skip = min(COUNT, size), len(row) // 4
        return lyapunov.exponents(cell, own, start, row, key, count, skip)

    spectra = _matrices if size <= LARGEST else _vectors
    found = spectra(cell, own, late, row[-WINDOW:], key)
    return {
        "state": size,
        "lyapunov": np.asarray(exponents(own)).tolist(),
        "jacobian": {name: spectrum for name, (spectrum, _) in found.items()},
        "singular_values": {name: values for name, (_, values) in found.items()},
    }


def _matrices(
    cell: Cell[Any], params: Any, carry: Any, x: jax.Array, key: jax.Array
) -> dict[str, tuple[Any, np.ndarray]]:
    """Returns spectra of the steps, in the mean, and of their product."""

    @jax.jit
    def found(params):
        each = jacobians.steps(cell, params, carry, x)
        both = jnp.concatenate([each, jacobians.products(each, WINDOW)])
        # One after the other: a batch of them may stop jaxlib's threads for ever.
        return jax.lax.map(
            lambda j: (jacobians.spectrum(j), jnp.linalg.svd(j, compute_uv=False)), both
        )

    spectra, values = jax.device_get(found(params))
    names = spectra._fields
    return {
        "step": (
            {k: float(v[:-1].mean()) for k, v in zip(names, spectra, strict=True)},
            values[:-1].mean(0),
        ),
        f"{WINDOW} steps": (
            {k: float(v[-1]) for k, v in zip(names, spectra, strict=True)},
            values[-1],
        ),
    }


def _vectors(
    cell: Cell[Any], params: Any, carry: Any, x: jax.Array, key: jax.Array
) -> dict[str, tuple[Any, np.ndarray]]:
    """Returns the largest singular values of a step and of them all together."""

    def largest(x):
        values = jacobians.largest_singular_values(cell, params, carry, x, key, COUNT)
        return {"largest": float(values[0])}, np.asarray(values)

    return {"step": largest(x[:1]), f"{WINDOW} steps": largest(x)}


def _truncation(
    task: LanguageTask, params: Any, batch: Batch, length: int
) -> dict[str, list[float]]:
    """Returns how gradients through fewer steps differ from that through all."""
    longest = min(length, len(batch.inputs) - 1)
    windows = sorted({max(1, longest // 4**k) for k in range(4)})

    def gradient(engine):
        model = task.model.clone(stack=task.model.stack.clone(engine=engine))
        carries = model.initial(batch.inputs.shape[1:])

        def loss(params):
            _, nats = model.apply(
                {"params": params}, carries, batch.inputs, batch.targets, method="loss"
            )
            return nats.mean()

        return jax.jit(jax.grad(loss))(params)

    engine = task.model.stack.engine
    others = [gradient(truncation.Truncated(engine, window)) for window in windows]
    found = truncation.beside(gradient(engine), others)
    return {
        "window": windows,
        "cosine": np.asarray(found.cosine).tolist(),
        "distance": np.asarray(found.distance).tolist(),
    }
