"""A cell's row in the catalogue: what the code says of it and what is measured."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from launch.measuring.layer import call, gradients, on
from launch.measuring.turns import in_turns
from launch.solve import ADDING, PARITY, TOYS, TRAINING, Toy, solve
from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.engines.auto import auto, structure

UNITS = 256  # and as many inputs, for what is counted and timed
STEPS, ROWS = 35, 20
SECONDS = 0.1  # what each side gets of a turn
SEEDS = (0, 1, 2)

LEGEND = f"""\
- *structure*: `split` (one product with the carry, then arithmetic) trains on
  `Deferred`; `linear` runs on `Associative` and `Chunked` too, and `positive_...` on
  `LogSpace`; `plain` is neither; every cell runs on the other engines.
- *parameters*: with {UNITS} inputs and {UNITS} units.
- *tokens/s*: forward and backward of one layer of {UNITS} units, {ROWS} rows of {STEPS}
  steps, on the engine that `rnnlab.engines.auto` picks; *of Scan*: how many times as
  fast that is as on `Scan()`.
- *parity*: the share of wrong answers to "an odd number of ones so far?" over
  {PARITY.steps} bits. *adding*: the squared error of the sum of two marked
  numbers among {ADDING.steps}; {ADDING.floor:.3f} for the answer 1. One layer of
  {TRAINING.features} units, {TRAINING.updates:,} batches of {TRAINING.rows}, Adam at
  {TRAINING.rate}; the median of {len(SEEDS)} seeds. Bold: solved by each of them, below
  {TOYS["parity"].solved} and {TOYS["adding"].solved}."""
HEAD = """\
| cell | year | paper | structure | parameters | engine | tokens/s | of Scan | parity \
| adding |
|---|--:|---|---|--:|---|--:|--:|--:|--:|"""


class Source(NamedTuple):
    """Where a cell was published.

    Attributes:
        year: in four digits.
        author: the first one's name.
        link: to the paper.
    """

    year: str
    author: str
    link: str


def row(name: str, make: Callable[[int], Cell[Any]], repeats: int) -> str:
    """Returns the row of a cell, in Markdown."""
    cell = make(UNITS)
    source = published(cell)
    shapes = jax.eval_shape(lambda key: cell.init(key, UNITS), jax.random.key(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    engine = auto(cell, STEPS)
    rate, ratio = speed(cell, engine, repeats)
    errors = [said(solve(make, toy, seeds=SEEDS), toy) for toy in TOYS.values()]
    return (
        f"| {name} | {source.year} | [{source.author}]({source.link})"
        f" | {structure(cell)} | {count:,} | {short(engine)} | {rate:,.0f}"
        f" | {ratio:.2f} | {' | '.join(errors)} |"
    )


def said(errors: np.ndarray, toy: Toy) -> str:
    """Returns the median over seeds, bold where each of them solved the problem."""
    median = f"{np.median(errors):.3f}"
    return f"**{median}**" if (errors < toy.solved).all() else median


def speed(cell: Cell[Any], engine: Engine, repeats: int) -> tuple[float, float]:
    """Returns tokens a second on the engine, and how many times Scan's that is."""
    carry = cell.initial((ROWS,))
    params = cell.init(jax.random.key(0), UNITS)
    x = np.random.default_rng(0).standard_normal((STEPS, ROWS, UNITS), np.float32)
    y = jax.eval_shape(lambda: Scan()(cell, params, carry, x)[1])
    arguments = jax.device_put((params, x, np.ones(y.shape, np.float32)))
    runs = {}
    for each in (engine, Scan()):
        step = gradients(on(each, cell)).lower(*arguments).compile()
        runs[each] = functools.partial(call, step, arguments)
    taken = in_turns(runs, repeats, SECONDS)
    rate = STEPS * ROWS / float(np.median(taken[engine]))
    return rate, float(np.median(taken[Scan()] / taken[engine]))


def short(engine: Engine) -> str:
    """Returns the name of an engine, with its knobs where they were turned."""
    name = type(engine).__name__
    return name if engine == type(engine)() else repr(engine)


def published(cell: Cell[Any]) -> Source:
    """Returns the first reference of a cell's docstring.

    Raises:
        ValueError: it has none with an author, a year and a link.
    """
    references = (inspect.getdoc(type(cell)) or "").partition("References:")[2]
    found = re.match(
        r"\s*([^,]+?),.*?\b((?:19|20)\d\d)\b.*?(https?://[^\s,;]+)",
        references,
        re.DOTALL,
    )
    if found is None:
        raise ValueError(
            f"{type(cell).__name__} needs a reference in its docstring, as Author,"
            f" title, year, link; write it under References."
        )
    author, year, link = found.groups()
    link = link.replace("(", "%28").replace(")", "%29")  # they end a link in Markdown
    return Source(year, " ".join(author.split()), link)
