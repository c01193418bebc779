"""The pictures of the studies: what is drawn is what was handed in."""

import math

import numpy as np
import pytest

from experiments import drawing
from experiments.vanishing_gradients import figures

METHODS = {
    "SGD": {20: (5, 5), 50: (2, 5), 200: (0, 5)},
    "SGD, clipped": {50: (4, 5), 20: (5, 5), 100: (0, 0)},
}
CURVES = {
    "T = 20": {
        "early": [[(10, 4.0), (20, 1.0)], [(10, 2.0)], [(10, 3.0), (20, 0.5)]],
        "diverged": [[(10, 5.0), (20, None)], [(10, 6.0), (20, math.nan)]],
    },
    "T = 50": {"early": [[(10, 7.0)]]},
}
NORMS = np.array([[1, 0.1, 1e-4, 0], [1, 0.3, 1e-3, 0], [1, 0.2, 1e-2, 1e-9]])


def every():
    return {
        "success": figures.success({"a": METHODS, "b": METHODS, "c": {}}),
        "curves": figures.curves(CURVES, 0.5, "loss (nats)"),
        "by_lag": figures.by_lag({"start": {"Elman": NORMS}, "end": {"GRU": NORMS}}),
        "spectra": figures.spectra({"": {"x": NORMS}}, 1.0, "singular values", True),
        "heat": figures.heat(NORMS, [0, 1, 2, 3], [0.5, 1, 2], "x", "y", "z", 0.0),
    }


def lines(axes):
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}


@pytest.mark.parametrize(
    ("successes", "runs", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17, 1998, table I: method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_that_of_the_literature(successes, runs, low, high):
    assert figures.wilson(successes, runs) == pytest.approx((low, high), abs=5e-5)


def test_success_holds_the_rates_and_their_intervals():
    figure = figures.success({"sigmoid": METHODS, "tanh": {"SGD": {20: (1, 4)}}})
    sigmoid, tanh = figure.axes
    assert (sigmoid.get_title(), tanh.get_title()) == ("sigmoid", "tanh")
    drawn = {bars.get_label(): bars for bars in sigmoid.containers}
    line, _, (bars,) = drawn["SGD"]
    assert [*zip(*line.get_data(), strict=True)] == [(20, 1), (50, 0.4), (200, 0)]
    for segment, ends in zip(bars.get_segments(), METHODS["SGD"].values(), strict=True):
        assert segment[:, 1] == pytest.approx(figures.wilson(*ends))
    line = drawn["SGD, clipped"][0]  # in order of length, without that of no runs
    assert [*zip(*line.get_data(), strict=True)] == [(20, 1), (50, 0.8)]
    colour = drawn["SGD"][0].get_color()
    assert tanh.containers[0][0].get_color() == colour != line.get_color()


def test_methods_that_do_equally_well_do_not_cover_each_other():
    rates = {20: (5, 5), 50: (5, 5)}
    figure = figures.success({"": {"a": rates, "b": rates, "c": rates}})
    figure.canvas.draw()
    (axes,) = figure.axes
    places = [
        bars[0].get_transform().transform([20, 1.0]) / figure.dpi * 72
        for bars in axes.containers
    ]
    for one, other in zip(places, places[1:], strict=False):
        assert np.all(other - one >= 1.5) and np.all(other - one < 6)
    right, top = axes.get_window_extent().max / figure.dpi * 72
    assert places[-1][1] < top and axes.get_xlim()[1] > 50 and places[-1][0] < right


def test_curves_are_medians_within_the_range_of_the_seeds():
    figure = figures.curves(CURVES, 0.5, "loss (nats)")
    left, right = figure.axes
    found = lines(left)
    assert found["early"].get_data()[0].tolist() == [10, 20]
    assert found["early"].get_data()[1].tolist() == [3, 1]  # 2.0 is kept at 20
    assert found["analytic floor, 0.5"].get_ydata() == [0.5, 0.5]
    np.testing.assert_array_equal(found["diverged"].get_ydata(), [5.5, np.nan])
    band = left.collections[0].get_paths()[0].vertices
    assert {*map(tuple, band)} == {(10, 2), (10, 4), (20, 0.5), (20, 2)}
    assert right.lines[0].get_color() == found["early"].get_color()
    assert left.get_yscale() == "log" and figure.get_supylabel() == "loss (nats)"
    linear = figures.curves(CURVES, None, "failed", log=False)
    assert linear.axes[0].get_yscale() == "linear" and len(linear.axes[1].lines) == 1
    named = figures.curves(CURVES, 1.5, "", floor_name="no memory", xlabel="window")
    assert "no memory, 1.5" in lines(named.axes[0])
    assert named.get_supxlabel() == "window"


def test_a_range_that_leaves_the_medians_behind_leaves_the_picture():
    spiked = {"": {"a": [[(1, 2.0), (2, 1.0)], [(1, 2.0), (2, 1.0)], [(1, 2e4)]]}}
    (axes,) = figures.curves(spiked, 0.5, "").axes
    assert axes.get_ylim()[1] == 20
    spiked[""]["a"][2] = [(1, 200.0)]
    (axes,) = figures.curves(spiked, 0.5, "").axes
    assert axes.get_ylim()[1] > 200


def test_norms_that_vanish_end_their_line():
    figure = figures.by_lag({"start": {"Elman": NORMS}})
    (line,) = figure.axes[0].lines
    assert line.get_xdata().tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(line.get_ydata(), [1, 0.2, 1e-3, np.nan])


def test_spectra_count_from_one_beside_what_keeps_lengths():
    values = np.array([[0.5, 0.0, -2.0]])
    figure = figures.spectra({"": {"tanh": values}}, 0.0, "exponents", log=False)
    line, level = figure.axes[0].lines
    assert line.get_data()[0].tolist() == [1, 2, 3]
    assert line.get_data()[1].tolist() == values[0].tolist()
    assert level.get_ydata() == [0, 0]


def test_heat_holds_the_values_about_their_centre():
    values = np.array([[1.0, -3.0], [math.inf, 0.5], [0.0, 2.0]])
    figure = figures.heat(values, [1, 10], [0.1, 0.2, 0.3], "x", "y", "z (nats)", 0.0)
    axes, bar = figure.axes
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array().filled(np.inf), values)
    assert image.get_clim() == (-3, 3) and bar.get_ylabel() == "z (nats)"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "10"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0.1", "0.2", "0.3"]
    assert axes.get_ylim() == (-0.5, 2.5)  # the first row at the bottom
    with pytest.raises(ValueError, match=r"shape \(2, 3\), got \(3, 2\)"):
        figures.heat(values, [1, 2, 3], [1, 2], "x", "y", "z")


@pytest.mark.parametrize("name", every())
def test_a_legend_covers_no_panel_and_nothing_is_cut_off(name):
    figure = every()[name]
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [legend.get_window_extent(renderer) for legend in figure.legends]
    for axes in figure.axes:
        outer = axes.get_tightbbox(renderer)
        assert outer is None or figure.bbox.padded(1).contains(*outer.max)
        assert not any(box.overlaps(axes.get_tightbbox(renderer)) for box in boxes)
    for box in boxes:
        assert figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max)


def test_names_share_neither_colour_nor_dash_nor_marker_with_the_next():
    styles = [*drawing.styles([map(str, range(28))]).values()]
    assert len({(s["color"], s["linestyle"], s["marker"]) for s in styles}) == 28
    for one, other in zip(styles, styles[1:], strict=False):
        assert all(one[k] != other[k] for k in ("color", "linestyle", "marker"))


def test_the_same_numbers_give_the_same_files(tmp_path):
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        for name, figure in every().items():
            drawing.save(figure, folder, name)
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1] and len(found[0]) == 10
