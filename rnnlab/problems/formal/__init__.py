"""Formal languages from three levels of Chomsky's hierarchy; `FORMAL` names them.

problem = FORMAL["even_pairs"](length=40)  # words of 1 to 40 symbols
"""

from collections.abc import Mapping

from rnnlab.problems.formal.binary import BinaryAddition, BinaryMultiplication
from rnnlab.problems.formal.context_free import (
    ModularArithmeticBrackets,
    ReverseString,
    SolveEquation,
    StackManipulation,
)
from rnnlab.problems.formal.context_sensitive import (
    BucketSort,
    DuplicateString,
    MissingDuplicate,
    OddsFirst,
)
from rnnlab.problems.formal.language import FormalLanguage
from rnnlab.problems.formal.regular import (
    CycleNavigation,
    EvenPairs,
    ModularArithmetic,
    ParityCheck,
)
from rnnlab.problems.formal.square_root import ComputeSqrt

FORMAL: Mapping[str, type[FormalLanguage]] = {
    "even_pairs": EvenPairs,
    "modular_arithmetic": ModularArithmetic,
    "parity_check": ParityCheck,
    "cycle_navigation": CycleNavigation,
    "stack_manipulation": StackManipulation,
    "reverse_string": ReverseString,
    "modular_arithmetic_brackets": ModularArithmeticBrackets,
    "solve_equation": SolveEquation,
    "duplicate_string": DuplicateString,
    "missing_duplicate": MissingDuplicate,
    "odds_first": OddsFirst,
    "binary_addition": BinaryAddition,
    "binary_multiplication": BinaryMultiplication,
    "compute_sqrt": ComputeSqrt,
    "bucket_sort": BucketSort,
}

__all__ = [
    "FORMAL",
    "BinaryAddition",
    "BinaryMultiplication",
    "BucketSort",
    "ComputeSqrt",
    "CycleNavigation",
    "DuplicateString",
    "EvenPairs",
    "FormalLanguage",
    "MissingDuplicate",
    "ModularArithmetic",
    "ModularArithmeticBrackets",
    "OddsFirst",
    "ParityCheck",
    "ReverseString",
    "SolveEquation",
    "StackManipulation",
]
