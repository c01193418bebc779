"""Stopped and started hundreds of times, a run leaves nothing behind."""

import os
import signal
import time
from pathlib import Path

from starts import events

STEPS = {"steps": 100_000, "checkpoint_every": 50, "eval_every": 50}


def held(folder):
    """Returns the bytes of a run's checkpoints."""
    places = (folder / "checkpoints", folder / "best")
    files = (path for place in places for path in place.rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file())


def begun(folder):
    """Returns how often a run was begun or gone on with."""
    return len(events(folder, "resumed")) + len(events(folder, "started"))


def alive(session):
    """Returns the processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getsid(int(entry.name)) == session:
                    found.append(entry.name)
            except ProcessLookupError:
                pass
    return found


def test_restarts_leave_nothing_behind(server, flags, tmp_path, many, counted):
    flags = flags | STEPS
    count = many(6, 500)
    sizes, memory, descriptors = [], [], []
    for turn in range(count):
        started = server.start("run", workdir=tmp_path, resume=True, **flags)
        started.until(lambda turn=turn: begun(tmp_path) > turn)
        time.sleep(0.3)
        descriptors.append(len(os.listdir(f"/proc/{started.pid}/fd")))
        status = Path(f"/proc/{started.pid}/status").read_text()
        memory.append(int(status.split("VmRSS:")[1].split()[0]))
        started.send(signal.SIGKILL if turn % 10 == 4 else signal.SIGTERM)
        ended = started.wait()
        assert ended.code in (143, -signal.SIGKILL), ended.err
        assert not alive(started.pid)
        sizes.append(held(tmp_path))
    steps = [event["step"] for event in events(tmp_path, "saved")]
    assert steps == sorted(steps)
    half = count // 2
    assert max(sizes[half:]) <= 1.3 * max(sizes[:half])  # of at most three bests
    assert max(memory[half:]) <= 1.1 * max(memory[:half])
    assert max(descriptors[half:]) <= max(descriptors[:half]) + 4
    assert not list(tmp_path.rglob("*.tmp"))
    counted("restarts in a row", count)
