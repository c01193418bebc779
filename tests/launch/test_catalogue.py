"""The catalogue: each cell has a source, and what is measured is what is said."""

import re

import numpy as np
import pytest
from cases import ALL, make

from launch import catalogue, lags, species
from launch.solve import TOYS, Training, solve
from rnnlab.cells import CELLS, LSTM, Elman, MinGRU, UnitaryRNN


@pytest.mark.parametrize("name", ALL)
def test_each_cell_has_a_source(name):
    source = species.published(make(name))
    assert 1980 < int(source.year) < 2030
    assert re.fullmatch(r"[A-Z][\w\-' .]+", source.author)
    assert source.link.startswith("https://")


def test_the_source_is_the_first_reference():
    assert species.published(LSTM(4)) == species.Source(
        "1997", "Hochreiter", "https://doi.org/10.1162/neco.1997.9.8.1735"
    )


def test_a_cell_without_source_is_named():
    class Bare(Elman):
        """h."""

    with pytest.raises(ValueError, match="Bare needs a reference"):
        species.published(Bare(4))


def test_seeds_side_by_side_learn_as_they_do_alone():
    brief = Training(features=4, updates=20)
    both = solve(CELLS["gru"], TOYS["parity"], brief, seeds=(0, 7))
    alone = [solve(CELLS["gru"], TOYS["parity"], brief, seeds=(k,)) for k in (0, 7)]
    np.testing.assert_allclose(both, np.concatenate(alone), rtol=1e-5)
    assert both[0] != both[1]


@pytest.mark.parametrize(
    ("errors", "wanted"),
    [([0.0, 0.04, 0.01], "**0.010**"), ([0.0, 0.06, 0.01], "0.010")],
)
def test_solved_is_what_each_seed_solves(errors, wanted):
    assert species.said(np.array(errors), TOYS["parity"]) == wanted


def test_the_gradient_of_a_linear_cell_fades_by_its_coefficients():
    """Without input z is sigmoid(0) at first, and h halves at each step."""

    def halves(features):
        return MinGRU(features)

    norms = lags.norms(halves, scale=0.0)
    assert len(norms) == lags.STEPS
    np.testing.assert_allclose(norms[:50], 0.5 ** np.arange(50), rtol=1e-4)


def test_a_norm_is_one_where_it_comes_from():
    norms = lags.norms(UnitaryRNN)
    assert norms[0] == 1 and np.isfinite(norms).all() and (norms > 0.1).all()


def test_page_and_picture(tmp_path):
    text = catalogue.page(["| a |", "| b |"], "Commit 0")
    assert text.startswith("# Cells\n\n2 cells") and "| a |\n| b |" in text
    assert "Commit 0" in text and "cells.png" in text
    lags.draw(tmp_path / "cells.png", {"a": np.ones(5), "b": np.zeros(5)})
    assert (tmp_path / "cells.png").read_bytes().startswith(b"\x89PNG")
