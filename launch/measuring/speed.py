"""The README's section of speed, from the newest numbers of each suite."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping

from launch.measuring.ledger import Entry, newest
from rnnlab.errors import InputError

SHAPES = ("32, 100, 128", "64, 70, 512", "20, 35, 1500")  # of the suite peers
HEAD = """\
| rnnlab is faster by | sizes | than the fastest other in JAX | than torch |
|---|---|--:|--:|"""
QUIET = 0.1  # of the cores: what other processes may have had
BELOW = "Below 1 rnnlab is slower."
FIRST_STEP = "python -m launch.run, until the first step is done"

What = Mapping[str, str | int]


def section(history: Iterable[Entry]) -> str:
    """Returns the section, in Markdown; what no suite has measured is left out.

    Args:
        history: oldest first; of each suite the newest entry counts, of those that
            look at torch the newest quiet one.

    Raises:
        InputError: an entry lacks a number that the section gives.
    """
    known = newest(each for each in history if each.suite not in ROWS or quiet(each))
    rows = [row for name in ROWS if name in known for row in ROWS[name](known[name])]
    told = [TOLD[name](known[name]) for name in TOLD if name in known]
    used = [known[name] for name in (*ROWS, *TOLD) if name in known]
    if not used:
        return ""
    devices = ", ".join(dict.fromkeys(entry.device for entry in used))
    table = ["\n".join([HEAD, *rows]), BELOW] if rows else []
    under = f"Medians, on {devices}; by suite: {'; '.join(map(circumstances, used))}."
    return "\n\n".join([*table, *map(fill, [*told, under])])


def quiet(entry: Entry) -> bool:
    """Returns whether a ratio to torch's time would be fair.

    Its threads wait for each other by spinning: beside busy neighbours, at half of the
    cores, its step was seen to take 5 to 28 times as long as rnnlab's, alone as long.
    """
    return entry.others is not None and entry.others <= QUIET


def circumstances(entry: Entry) -> str:
    """Returns which code was measured, and how disturbed."""
    busy = "unknown" if entry.others is None else f"{entry.others:.0%}"
    return f"{entry.suite} at {entry.commit}, other processes at {busy}"


def fill(text: str) -> str:
    """Returns a paragraph in lines as long as the README's."""
    return textwrap.fill(text, 88, break_long_words=False, break_on_hyphens=False)


def layers(entry: Entry) -> Iterator[str]:
    """Yields a row for each cell and shape."""
    for cell in ("lstm", "gru"):
        for shape in SHAPES:
            what = {"cell": cell, "shape": shape}
            title = f"{cell.upper()} layer, forward and backward"
            yield beside(entry, what, title, f"B, T, H: {shape}")


def models(entry: Entry) -> Iterator[str]:
    """Yields a row for each language model."""
    for name in dict.fromkeys(str(each.what["model"]) for each in entry.measurements):
        title = "training step of a language model"
        yield beside(entry, {"model": name}, title, f"B, T, H, V: {name}")


def beside(entry: Entry, what: What, title: str, sizes: str) -> str:
    """Returns a row: what the fastest of the others takes, and torch, in rnnlab's."""
    found = {
        str(each.what["code"]): each.median
        for each in entry.measurements
        if each.unit == "times rnnlab" and what.items() <= each.what.items()
    }
    found.pop("rnnlab", None)
    torch = found.pop("torch", None)
    if torch is None or not found:
        raise _missing(entry, what, "times rnnlab")
    name = min(found, key=lambda name: found[name])
    return f"| {title} | {sizes} | {found[name]:.2f} ({name}) | {torch:.2f} |"


def startup(entry: Entry) -> str:
    """Returns how long a user waits."""
    imports = median(entry, {"what": "import rnnlab.nn"}, "s")
    first = median(entry, {"what": FIRST_STEP}, "s")
    return (
        f"`import rnnlab.nn` takes {imports:.1f} s; `launch.run` with its defaults has"
        f" done its first step after {first:.1f} s, from its second start on."
    )


def memory(entry: Entry) -> str:
    """Returns what `Remat` saves."""
    case = {"cell": "lstm", "B": 20, "T": 4096, "of": "temporaries"}
    scan, remat = (
        median(entry, {**case, "engine": engine}, "B")
        for engine in ("Scan(unroll=1)", "Remat(chunk=None)")
    )
    return (
        f"Over {case['T']:,} steps of an LSTM `Remat()` takes {remat / 1e6:,.0f} MB of"
        f" temporaries, forward and backward, `Scan()` {scan / 1e6:,.0f} MB."
    )


def unrolled(entry: Entry) -> str:
    """Returns what unrolling costs, at the longest length."""
    steps = max(int(each.what["T"]) for each in entry.measurements)
    case = {"cell": "lstm", "pass": "with gradient", "T": steps}
    compiled = {**case, "of": "compiling"}
    scan, laid_out = (
        median(entry, {**compiled, "engine": engine}, "s")
        for engine in ("Scan(unroll=1)", "Unrolled()")
    )
    ratio = median(entry, {**case, "engine": "Unrolled()"}, "times Scan")
    return (
        f"An LSTM's {steps} steps laid out one after another, as a Python loop under"
        f" `jit` does, take {laid_out / scan:.0f} times as long to compile as `Scan()`"
        f" takes, and then {ratio:.2f} times as long forward and backward."
    )


def median(entry: Entry, what: What, unit: str) -> float:
    """Returns the median of what is described just so.

    Raises:
        InputError: it was not measured.
    """
    for each in entry.measurements:
        if each.what == what and each.unit == unit:
            return each.median
    raise _missing(entry, what, unit)


def _missing(entry: Entry, what: What, unit: str) -> InputError:
    """Returns the error of an entry that lacks a number."""
    return InputError(
        f"README's section of speed needs {dict(what)} in {unit}, which --suite="
        f"{entry.suite} at {entry.commit} did not measure; run it again with --write."
    )


# What the README gives of a suite: rows of its table, or a sentence.
ROWS: Mapping[str, Callable[[Entry], Iterator[str]]] = {"peers": layers, "lm": models}
TOLD: Mapping[str, Callable[[Entry], str]] = {
    "scan_vs_unrolled": unrolled,
    "memory": memory,
    "startup": startup,
}
