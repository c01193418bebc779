"""Newton's suite: a row for each engine, with iterations that were really taken."""

from launch.suites import newton


def test_table_has_a_row_for_each_method_and_length(monkeypatch):
    monkeypatch.setattr(newton, "SECONDS", 1e-4)
    case = newton.Case("gru", features=2, batch=1, lengths=(3, 5))
    lines = newton.measure(2, [case]).table.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[4:]]
    sides = ["Scan(unroll=1)", "deer", "quasi", "elk"]
    assert [row[4] for row in rows] == sides * 2
    assert [row[3] for row in rows] == ["3"] * 4 + ["5"] * 4
    for row in rows:
        if row[4] == "Scan(unroll=1)":
            assert row[5] == "-" and row[7] == "1.00"
        else:
            assert 1 <= int(row[5].rstrip("*")) <= int(row[3])
