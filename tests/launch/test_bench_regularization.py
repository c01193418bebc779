"""The suite of regularisers: a row for each, and what each is does something."""

from launch.suites import regularization as suite
from launch.suites.lm import Shape

SHAPE = Shape(batch=2, steps=3, features=4, vocab_size=7)


def test_each_regulariser_changes_the_loss_and_has_a_row(monkeypatch):
    monkeypatch.setattr(suite, "SECONDS", 1e-3)
    second = {}
    for name in suite.SIDES:
        run = suite.ready(SHAPE, name)
        run()  # the loss is without penalties, which move the parameters
        second[name] = run()
    plain = second.pop("nothing")
    assert all(loss != plain for loss in second.values())
    outcome = suite.measure(1, (SHAPE,))
    rows = outcome.table.splitlines()[-len(suite.SIDES) :]
    assert [row.split(" | ")[1] for row in rows] == [*suite.SIDES]
    assert rows[0].split(" | ")[3] == "1.00"
    assert len(outcome.measurements) == 2 * len(suite.SIDES)
