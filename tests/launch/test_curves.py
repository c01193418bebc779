"""curves.png: what is drawn is what the rows say, whatever they lack."""

import json
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from launch import curves
from rnnlab.errors import InputError


def rows_of(count, every):
    for step in range(1, count + 1):
        loss = 4 + 5 * math.exp(-step / 300)
        rate = 1.0 if step < count / 2 else 0.5
        norm = 3 + math.sin(step)
        yield {"step": step, "loss": loss, "grad_norm": norm, "learning_rate": rate}
        if every and step % every == 0:
            yield {"step": step, "valid_loss": loss + (step / count) ** 4}


def draw(folder, rows):
    """Returns the figure that was saved."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(text)
    figures = []
    with pytest.MonkeyPatch.context() as patch:
        save = Figure.savefig
        patch.setattr(
            Figure,
            "savefig",
            lambda figure, *args, **kwargs: (
                figures.append(figure),
                save(figure, *args, **kwargs),
            ),
        )
        curves.draw(folder)
    return figures[0]


def test_a_name_is_no_formula(tmp_path):
    folder = tmp_path / "cost_$5_$10\t"
    folder.mkdir()
    figure = draw(folder, list(rows_of(3, 0)))
    assert figure.get_suptitle() == "cost_$5_$10"


def test_the_lines_hold_the_rows_and_the_minimum_is_marked(tmp_path):
    rows = list(rows_of(3000, 200))
    losses, norms, rates = draw(tmp_path, rows).axes
    train, valid, best = losses.lines
    assert np.array_equal(train.get_ydata(), [r["loss"] for r in rows if "loss" in r])
    wanted = {r["step"]: r["valid_loss"] for r in rows if "valid_loss" in r}
    assert dict(zip(valid.get_xdata(), valid.get_ydata(), strict=True)) == wanted
    step = min(wanted, key=wanted.get)
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (step, wanted[step])
    assert 200 < step < 3000 and f"at step {step:,}" in best.get_label()
    assert norms.get_yscale() == "log" and rates.get_xlabel() == "step"
    assert losses.get_ylabel() == "loss (nats a token)"
    assert rates.lines[0].get_ydata()[[0, -1]].tolist() == [1.0, 0.5]
    picture = imread(tmp_path / "curves.png")
    assert picture.shape[:2] == (960, 960)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "metrics.jsonl"]


@pytest.mark.parametrize(("least", "most"), [(0.11, 0.14), (2.0, 9.0), (1e-3, 50.0)])
def test_ticks_of_the_gradient_norm_say_where_they_are(tmp_path, least, most):
    rows = [{"step": k, "grad_norm": v} for k, v in ((1, least), (2, most))]
    _, norms, _ = draw(tmp_path, rows).axes
    labels = [
        (tick.get_text(), tick.get_position()[1])
        for minor in (False, True)
        for tick in norms.get_yticklabels(minor=minor)
        if tick.get_text()
    ]
    assert len(labels) >= 2
    for text, place in labels:
        assert float(text) == pytest.approx(place)


def test_the_legend_covers_no_data(tmp_path):
    figure = draw(tmp_path, rows_of(100, 10))
    losses = figure.axes[0]
    renderer = figure.canvas.get_renderer()
    legend = losses.get_legend().get_window_extent(renderer)
    assert legend.y0 >= losses.get_window_extent(renderer).y1 - 1
    assert legend.x1 <= figure.bbox.x1


def test_the_same_rows_give_the_same_bytes(tmp_path):
    pictures = []
    for _ in range(2):
        draw(tmp_path, rows_of(50, 10))
        pictures.append((tmp_path / "curves.png").read_bytes())
    assert pictures[0] == pictures[1]


NAN = {"step": 3, "loss": None, "grad_norm": 0.0, "learning_rate": None}


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([], [0, 0, 0]),
        (list(rows_of(1, 0)), [1, 1, 1]),
        (list(rows_of(1, 1)), [3, 1, 1]),
        ([{"step": 5, "valid_loss": 2.0}], [2, 0, 0]),
        ([{"step": 5, "valid_loss": None}], [0, 0, 0]),
        ([NAN], [0, 0, 0]),
        ([*rows_of(2, 2), NAN, {"step": 3, "valid_loss": None}], [3, 1, 1]),
    ],
)
def test_missing_and_bad_values_leave_gaps(tmp_path, rows, lines):
    figure = draw(tmp_path, rows)
    assert [len(axes.lines) for axes in figure.axes] == lines
    for axes in figure.axes:
        assert np.isfinite(axes.get_ylim()).all()


def test_a_folder_without_metrics_is_named(tmp_path):
    with pytest.raises(InputError, match="metrics.jsonl should hold metrics"):
        curves.draw(tmp_path)
