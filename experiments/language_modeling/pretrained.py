"""The parameters of another run, for one that begins with them.

Where the texts have other vocabularies, a token that both know keeps its rows of the
embedding and the output, and one that is new begins with the mean of all rows, as
Howard and Ruder do (https://arxiv.org/abs/1801.06146).
"""

import dataclasses
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.language_modeling.config import Config
from rnnlab.data import tokenizers
from rnnlab.data.tokenizers import Tokenizer
from rnnlab.errors import IncompatibleCheckpoint, InputError, NoUsableCheckpoint
from rnnlab.options import from_dict
from rnnlab.training import step, workdir
from rnnlab.training.best import best
from rnnlab.training.leaves import named
from rnnlab.training.stored import Stored


class Source(NamedTuple):
    """The run that is begun from.

    Attributes:
        stored: its best checkpoint.
        config: its settings.
        tokenizer: of its text.
        task: its model.
    """

    stored: Stored
    config: Config
    tokenizer: Tokenizer
    task: Any


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """What another run has learned.

    Attributes:
        path: its workdir.
        config: of the run that begins.
        tokenizer: of that run's text.
        rebuild: makes a task from a configuration and a record of data.
    """

    path: str
    config: Config
    tokenizer: Tokenizer
    rebuild: Callable[[Config, Any], Any]

    def check(self, task: Any) -> None:
        """Raises where the parameters do not fit; reads none of them.

        Raises:
            InputError: the path is no trained language model, or several processes
                ask for it.
            IncompatibleCheckpoint: the architectures differ, or their vocabularies do
                and cannot be brought together.
        """
        if jax.process_count() > 1:
            raise InputError(
                "--init_from is read by one process, and there are"
                f" {jax.process_count()}; begin the run with one, and go on with"
                " --resume and all of them."
            )
        self._axes(task, self._source())

    def params(self, task: Any, drawn: Any) -> tuple[Any, str]:
        """Returns the parameters for a task, and how they came about in one line.

        None of those that were drawn is left.

        Raises:
            InputError, IncompatibleCheckpoint: as `check` does.
        """
        del drawn
        source = self._source()
        axes = self._axes(task, source)
        training = source.config.training
        like = jax.eval_shape(lambda: step.init(source.task, training))
        params = source.stored.restore(like).used
        told = f"the run begins with the parameters of {self.path}"
        if source.tokenizer == self.tokenizer:
            return params, told
        ids = places(source.tokenizer, self.tokenizer)
        leaves, kind = jax.tree.flatten(params)
        moved = [
            leaf if axis is None else taken(np.asarray(leaf), ids, axis)
            for leaf, axis in zip(leaves, axes, strict=True)
        ]
        new = int((ids < 0).sum())
        return kind.unflatten(moved), (
            f"{told}: it knows {len(ids) - new} of the {len(ids)} tokens, and {new}"
            f" begin as its mean one"
        )

    def _source(self) -> Source:
        """Returns the run, its arrays still unread."""
        try:
            stored = best(workdir.resolve(self.path))
        except (InputError, NoUsableCheckpoint) as error:
            raise InputError(
                f"--init_from must be the workdir of a trained run, but {error}"
            ) from error
        match stored.metadata:
            case {
                "experiment": "language_modeling",
                "config": {**fields},
                "data": {"tokenizer": tokenizer, **rest},
            }:
                config = from_dict(Config, fields)
                data = {"tokenizer": tokenizer, **rest}
                made = tokenizers.from_json(tokenizer)
                return Source(stored, config, made, self.rebuild(config, data))
        raise InputError(
            f"--init_from must be the workdir of a language model, got {self.path};"
            f" name another."
        )

    def _axes(self, task: Any, source: Source) -> list[int | None]:
        """Returns the axis of each leaf that counts tokens, None where none does."""
        if source.tokenizer.kind != self.tokenizer.kind:
            raise IncompatibleCheckpoint(
                f"--init_from must be a run on tokens of kind {self.tokenizer.kind},"
                f" got {self.path} on {source.tokenizer.kind}; take"
                f" --tokens={source.tokenizer.kind}."
            )
        mine, theirs = _shapes(task), _shapes(source.task)
        same = source.tokenizer == self.tokenizer
        axes = dict.fromkeys(mine) if same else counted(task)
        size, other = self.tokenizer.size, source.tokenizer.size
        fits = {
            name: tuple(
                other if axis == axes[name] else n for axis, n in enumerate(shape)
            )
            for name, shape in mine.items()
        }
        flags = [
            [
                f"--cell={config.cell}",
                f"--cell_options={config.cell_options}",
                f"--heads={config.body.count}",
            ]
            for config in (source.config, self.config)
        ]
        differing = [f"{there} there" for there in flags[0] if there not in flags[1]]
        differing += [
            f"{name}: {[*theirs.get(name, ())]} there, {[*mine.get(name, ())]} here"
            for name in {**fits, **theirs}
            if theirs.get(name) != fits.get(name)
        ]
        if differing:
            listed = textwrap.shorten("; ".join(differing), 200, placeholder=" ...")
            raise IncompatibleCheckpoint(
                f"--init_from must be a run of the same architecture, got {self.path},"
                f" which differs ({listed}; {other} tokens there, {size} here); pass"
                f" the flags that it was trained with."
            )
        return [*axes.values()]


def places(old: Tokenizer, new: Tokenizer) -> np.ndarray:
    """Returns the id in `old` of each token of `new`, -1 where it has none: int [V]."""
    known = {piece: k for k, piece in enumerate(old.pieces)}
    return np.array([known.get(piece, -1) for piece in new.pieces])


def taken(rows: np.ndarray, ids: np.ndarray, axis: int) -> np.ndarray:
    """Returns rows along an axis by their ids; for -1 the mean of all rows."""
    found = np.moveaxis(rows, axis, 0)
    mean = found.mean(0, dtype=np.float64).astype(rows.dtype)
    there = (ids >= 0).reshape(-1, *[1] * mean.ndim)
    return np.moveaxis(np.where(there, found[np.maximum(ids, 0)], mean), 0, axis)


def counted(task: Any) -> dict[str, int | None]:
    """Returns the axis of each parameter that is as long as there are tokens.

    It is the one that a token more makes longer.

    Raises:
        IncompatibleCheckpoint: an axis counts some of the tokens alone.
    """
    output = task.model.output
    size = output.vocab_size
    longer = task.model.clone(output=output.clone(vocab_size=size + 1))
    before, after = _shapes(task), _shapes(dataclasses.replace(task, model=longer))
    found: dict[str, int | None] = {}
    for name, shape in before.items():
        pairs = enumerate(zip(shape, after[name], strict=True))
        grown = [axis for axis, (n, m) in pairs if n != m]
        found[name] = grown[0] if grown else None
        if [shape[axis] for axis in grown] not in ([], [size]):
            raise IncompatibleCheckpoint(
                f"--init_from needs the text that its run was trained on where not"
                f" every token has a row of its own in {name}; take another output."
            )
    return found


def _shapes(task: Any) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a task's parameters by name."""
    params = jax.eval_shape(task.init, jax.random.key(0))
    return {name: leaf.shape for name, leaf in named(params).items()}
