"""Toy problems that ask for one thing each, drawn on the device, without end.

problem = Adding(steps=100)
draw = problem.draw(jax.random.key(0), rows=20)  # under jax.jit and jax.vmap
loss = problem.loss(said, draw)  # said: [T, B, O]; problem.floor without memory

`PROBLEMS` gives each a name for the command line. To add one, write its file after the
pattern of `parity.py` and name it there.
"""

from collections.abc import Callable, Mapping

from rnnlab.problems.adding import Adding, Multiplication
from rnnlab.problems.copy import (
    Copy,
    SelectiveCopy,
    VariableCopy,
    five_bit,
    twenty_bit,
)
from rnnlab.problems.digits import Digits
from rnnlab.problems.formal import FORMAL, FormalLanguage
from rnnlab.problems.parity import Parity
from rnnlab.problems.permutation import RandomPermutation
from rnnlab.problems.problem import Classes, Draw, Numbers, Problem
from rnnlab.problems.recall import DelayedRecall
from rnnlab.problems.temporal_order import TemporalOrder

PROBLEMS: Mapping[str, Callable[..., Problem]] = {
    "adding": Adding,
    "copy": Copy,
    "delayed_recall": DelayedRecall,
    "digits": Digits,
    "five_bit": five_bit,
    "multiplication": Multiplication,
    "parity": Parity,
    "random_permutation": RandomPermutation,
    "selective_copy": SelectiveCopy,
    "temporal_order": TemporalOrder,
    "twenty_bit": twenty_bit,
    "variable_copy": VariableCopy,
    **FORMAL,
}

__all__ = [
    "FORMAL",
    "PROBLEMS",
    "Adding",
    "Classes",
    "Copy",
    "DelayedRecall",
    "Digits",
    "Draw",
    "FormalLanguage",
    "Multiplication",
    "Numbers",
    "Parity",
    "Problem",
    "RandomPermutation",
    "SelectiveCopy",
    "TemporalOrder",
    "VariableCopy",
    "five_bit",
    "twenty_bit",
]
