"""A page of a text, its tokens in the colour of what one unit holds after them."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments import pages
from launch.parts.properties import properties
from launch.parts.text import data, plain

BEST = 5  # units shown of a property
STEPS = 100  # of a value between 0 and 1


class Unit(NamedTuple):
    """One number that a layer carries.

    Attributes:
        name: "layer 0 h 17" or "tanh of layer 0 c 17", say.
        values: after each token, in [-1, 1], [N].
        knows: the property that it follows most closely.
        correlation: with that property, in [-1, 1].
    """

    name: str
    values: np.ndarray
    knows: str
    correlation: float


def units(carried: Mapping[str, np.ndarray], pieces: Sequence[str]) -> list[Unit]:
    """Returns all units, those that follow a property most closely first.

    Args:
        carried: by name of a layer's leaf, what it holds after each token, [N, H]; what
            leaves [-1, 1] is seen through tanh, what is complex by its real part.
        pieces: the text of each of the N tokens.
    """
    known = properties(pieces)
    found = []
    for name, held in carried.items():
        held = np.asarray(held).real.astype(np.float64)
        if np.abs(held).max() > 1:
            name, held = f"tanh of {name}", np.tanh(held)
        with_each = np.stack([correlations(held, of) for of in known.values()])
        best = np.abs(with_each).argmax(0)
        found += [
            Unit(f"{name} {k}", held[:, k], [*known][which], with_each[which, k])
            for k, which in enumerate(best)
        ]
    return sorted(found, key=lambda unit: -abs(unit.correlation))


def correlations(held: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of each unit with a property: [N, H] -> [H].

    Of what never changes it is 0.
    """
    held, of = held - held.mean(0), of - of.mean()
    size = np.sqrt((held**2).sum(0) * (of**2).sum())
    return np.divide(of @ held, size, out=np.zeros(held.shape[1]), where=size > 1e-12)


def page(
    title: str, facts: Mapping[str, str], found: Sequence[Unit], pieces: Sequence[str]
) -> str:
    """Returns the page as HTML.

    Args:
        title: of the page.
        facts: about the model and the text.
        found: the units that can be chosen.
        pieces: the text of each token.
    """
    values = np.stack([unit.values for unit in found])
    packed = np.round(STEPS * values.clip(-1, 1)).astype(np.int8)
    known = {
        "pieces": list(pieces),
        "units": [
            [unit.name, unit.knows, round(unit.correlation, 3)] for unit in found
        ],
        "values": base64.b64encode(packed.tobytes()).decode(),
        "steps": STEPS,
    }
    body = [
        '<p class="claim">Each token has the colour of what the chosen unit holds once'
        " it has been read.</p>",
        '<div id="units"><p>The text is drawn by a script, which this browser does not'
        " run.</p></div>",
        "<h2>What units follow</h2>",
        pages.scroll("table", "What units follow", "".join(_table(found))),
        '<p class="note">The correlation, over the tokens of this text, of a unit with'
        " what a reader of the line can tell of the place (a quote counts if it has a"
        " partner, which the model has yet to see); each unit is under the property"
        " that it follows most closely. Among many units, some follow something by"
        " chance.</p>",
        "<h2>About</h2>",
        pages.facts(facts),
        f'<script type="application/json" id="data">{data(known)}</script>',
    ]
    style = pages.asset("launch.parts", "units.css")
    return pages.document(title, body, [style], pages.asset("launch.parts", "units.js"))


def _table(found: Sequence[Unit]) -> Iterator[str]:
    yield "<table><thead><tr><th>property</th><th>units</th></tr></thead><tbody>"
    by_property: dict[str, list[int]] = {}
    for k, unit in enumerate(found):
        by_property.setdefault(unit.knows, []).append(k)
    for name, those in by_property.items():
        buttons = " ".join(
            f'<button type="button" data-unit="{k}">{plain(found[k].name)}'
            f" <small>{found[k].correlation:+.2f}</small></button>"
            for k in those[:BEST]
        )
        yield f"<tr><th>{plain(name)}</th><td>{buttons}</td></tr>"
    yield "</tbody></table>"
