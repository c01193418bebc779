"""Metrics files that survive kills, and the progress that a person sees."""

import io
import json
import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from rnnlab.errors import InputError, StorageError
from rnnlab.training import progress
from rnnlab.training.progress import Progress
from rnnlab.training.writers import MetricsWriter, read_metrics

ROOT = Path(__file__).parents[2]


def write(folder, resumed, steps, tensorboard=False):
    with MetricsWriter(folder, resumed, tensorboard) as writer:
        for step in steps:
            writer.write(step, {"loss": np.float32(1 / step), "grad_norm": step * 0.1})
            if step % 2 == 0:
                writer.write(step, {"valid_loss": 2 / step})
    return (folder / "metrics.jsonl").read_bytes()


def test_rows_are_flushed_lines_of_json(tmp_path):
    with MetricsWriter(tmp_path, None, tensorboard=False) as writer:
        writer.write(1, {"loss": np.float32(0.5), "n": 3})
        text = (tmp_path / "metrics.jsonl").read_text()
        assert text == '{"step": 1, "loss": 0.5, "n": 3.0}\n'
        writer.write(2, {"loss": math.nan, "up": math.inf, "down": -math.inf})
    last = (tmp_path / "metrics.jsonl").read_text().splitlines()[1]
    strict = json.loads(last, parse_constant=lambda name: pytest.fail(name))
    assert strict == {"step": 2, "loss": None, "up": None, "down": None}
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert rows[0] == {"step": 1, "loss": 0.5, "n": 3.0}
    assert math.isnan(rows[1]["loss"]) and math.isnan(rows[1]["up"])
    assert sorted(os.listdir(tmp_path)) == ["metrics.jsonl"]


def test_after_a_resume_the_file_is_that_of_an_uninterrupted_run(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "resumed").mkdir()
    whole = write(tmp_path / "whole", None, range(1, 9))
    killed = write(tmp_path / "resumed", None, range(1, 8))
    path = tmp_path / "resumed" / "metrics.jsonl"
    for size in range(0, len(killed) + 1, 7):  # torn at any place, resumed at 4
        path.write_bytes(killed[:size])
        kept = len(read_metrics(path))
        if kept >= 6:  # 4 rows and 2 validation rows up to step 4
            assert write(tmp_path / "resumed", 4, range(5, 9)) == whole
    path.write_bytes(killed)
    assert write(tmp_path / "resumed", None, range(1, 9)) == whole  # a fresh start
    assert write(tmp_path / "resumed", 8, []) == whole


def test_a_torn_last_line_is_left_out_and_a_bad_one_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 2.0}\n{"step": 2, "a": 3.')
    assert read_metrics(path) == [{"step": 1, "a": 2.0}]
    for bad in ("{", "[]", '{"loss": 1}', '{"step": null}', "3"):
        path.write_text(f'{{"step": 1}}\n{bad}\n{{"step": 3}}\n')
        with pytest.raises(InputError, match="metrics.jsonl:2 should be a row"):
            read_metrics(path)
        with pytest.raises(InputError, match=":2"):
            MetricsWriter(tmp_path, 3, tensorboard=False)
    with pytest.raises(InputError, match="missing.jsonl should hold metrics"):
        read_metrics(tmp_path / "missing.jsonl")


def events(folder):
    """Scalars of the event files in the order of writing, purges applied."""
    scalars = {}
    for path in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = event_pb2.Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            if event.session_log.status == event_pb2.SessionLog.START:
                scalars = {k: v for k, v in scalars.items() if k[1] < event.step}
            for value in event.summary.value:
                scalars[value.tag, event.step] = value.simple_value
    return scalars


def test_tensorboard_events_follow_the_rows(tmp_path):
    write(tmp_path, None, range(1, 7), tensorboard=True)
    write(tmp_path, 4, [5], tensorboard=True)
    wanted = {
        (name, row["step"]): np.float32(value)
        for row in read_metrics(tmp_path / "metrics.jsonl")
        for name, value in row.items()
        if name != "step"
    }
    assert events(tmp_path / "tensorboard") == wanted
    assert ("loss", 5) in wanted and ("loss", 6) not in wanted


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path, disk):
    with pytest.raises(StorageError, match="none/metrics.jsonl could not"):
        MetricsWriter(tmp_path / "none", None, tensorboard=False)
    full = disk("size=64k")
    with MetricsWriter(full, None, tensorboard=False) as writer:
        with pytest.raises(StorageError, match="jsonl could not .*No space left"):
            for step in range(100_000):
                writer.write(step, {"loss": 0.1})
    rows = read_metrics(full / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(len(rows)))
    assert len(rows) > 1000


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


class Unread:
    def __float__(self):
        pytest.fail("a figure that is not shown was waited for")


def test_lines_come_at_the_interval_and_at_the_end(clock):
    stream = io.StringIO()
    with Progress(total=100, start=0, stream=stream) as report:
        for step in range(1, 101):
            shown = step in (11, 21, 31, 41, 51, 61, 71, 81, 91, 100)
            loss = np.float32(step / 8) if shown else Unread()
            report.update(step, 640, {"loss": loss, "perplexity": loss})
            clock.now += 1.0
        report.message("saved")
    lines = stream.getvalue().splitlines()
    assert lines[0] == (
        "step 11/100  loss 1.375  perplexity 1.375  640 tokens/s  0:01:29 left"
    )
    assert [line.split()[1] for line in lines[:-1]] == [
        "11/100", "21/100", "31/100", "41/100", "51/100", "61/100", "71/100",
        "81/100", "91/100", "100/100",
    ]  # fmt: skip
    assert lines[-2].endswith("640 tokens/s  0:00:00 left") and lines[-1] == "saved"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_with_the_same_figures(clock):
    stream = Terminal()
    with Progress(total=40, start=20, stream=stream) as report:
        for step in range(21, 31):
            report.update(step, 500, {"loss": 2.5})
            clock.now += 0.5
        report.message("validation 3.1")
    text = stream.getvalue()
    assert "30/40" in text and "50%" in text  # it starts at the restored step
    assert "loss 2.5  1,000 tokens/s  0:00:05 left" in text
    assert "validation 3.1\n" in text


def test_torch_is_not_imported_for_events(tmp_path):
    """Nor hidden from those who import it later."""
    (tmp_path / "torch.py").write_text("print('imported')")
    code = (
        "import sys; from rnnlab.training import writers; writers.summary_writer();"
        " assert 'torch' not in sys.modules; print('now'); import torch"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:."},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["now", "imported"]
