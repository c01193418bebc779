"""Events are lines that are whole or not there."""

import json
import threading

import pytest

from rnnlab.errors import InputError, StorageError
from rnnlab.training import events
from rnnlab.training.events import Events


def test_what_is_written_is_read(tmp_path, capsys):
    assert events.read(tmp_path) == []
    Events(tmp_path).write("saved", step=3)
    log = Events(tmp_path)
    log.warn("step 4 is damaged", "quarantined", step=4)
    first, second = events.read(tmp_path)
    assert (first["event"], first["step"]) == ("saved", 3)
    assert (second["event"], second["step"]) == ("quarantined", 4)
    assert first["time"] <= second["time"]
    assert capsys.readouterr().err == "warning: step 4 is damaged\n"


def test_a_torn_line_is_not_read_and_not_gone_on_with(tmp_path):
    Events(tmp_path).write("saved", step=1)
    file = tmp_path / events.EVENTS
    file.write_bytes(file.read_bytes() + b'{"event": "sa')
    assert [event["step"] for event in events.read(tmp_path)] == [1]
    Events(tmp_path).write("saved", step=2)
    assert [event["step"] for event in events.read(tmp_path)] == [1, 2]


def test_threads_take_turns(tmp_path):
    log = Events(tmp_path)
    threads = [
        threading.Thread(target=lambda: [log.write("saved") for _ in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events.read(tmp_path)) == 80


@pytest.mark.parametrize("line", ['{"event"', "[]", "\x00"])
def test_another_file_is_refused_by_name(tmp_path, line):
    (tmp_path / events.EVENTS).write_text(f"{line}\n{json.dumps({})}\n")
    with pytest.raises(InputError, match=f"{tmp_path}/events.jsonl should hold events"):
        events.read(tmp_path)


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(StorageError, match="could not be written"):
        Events(tmp_path / "gone").write("saved")
