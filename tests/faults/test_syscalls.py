"""A kill at each call that makes, renames or removes a file: whole steps only.

strace sends SIGKILL at the first such call, then at the second, until a run comes to
its end without one: every place where the disk can be left is tried.
"""

import re
import signal

import pytest
from saves import KEEP, state
from tracing import attach

from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.leaves import digest

CALLS = {
    "remove": "unlink,unlinkat,rmdir",
    "rename": "rename,renameat,renameat2",
    "make": "mkdir,mkdirat",
}
STEPS = 3


def traced(server, calls, which, *arguments):
    """Runs `saves` until call number `which` of `calls`, which kills it."""
    started = server.fork("tests.faults.saves", *arguments, stopped=True)
    started.until(lambda: started.state == "T")
    inject = f"inject={calls}:signal=SIGKILL:when={which}"
    tracer = attach(started.pid, "-e", f"trace={calls}", "-e", inject)
    started.send(signal.SIGCONT)
    tracer.communicate()
    return started.wait()


def look(folder):
    """Returns the steps in a folder, all of which must be what was saved."""
    with Checkpoints(folder, KEEP) as checkpoints:
        for step in checkpoints.steps:
            wanted = state(step)
            assert digest(checkpoints.restore(wanted, step)) == digest(wanted)
        return checkpoints.steps


@pytest.mark.parametrize("kind", CALLS)
def test_no_call_leaves_a_torn_step(server, tmp_path, kind, counted):
    killed = 0
    for which in range(1, 200):
        folder = tmp_path / str(which)
        ended = traced(server, CALLS[kind], which, folder, STEPS)
        told = [int(line) for line in ended.out.split()]
        steps = look(folder)
        assert max(steps, default=0) >= max(told, default=0)
        assert len(steps) >= min(KEEP, len(told))
        if ended.code == 0:
            break
        assert ended.code == -signal.SIGKILL, ended.err
        killed += 1
        again = server.fork("tests.faults.saves", folder, STEPS).wait()
        assert again.code == 0, again.err
        assert look(folder)[-1] == max(steps, default=0) + STEPS
        assert not list(folder.glob("*.tmp"))
    assert ended.code == 0 and told == [*range(1, STEPS + 1)]
    assert killed >= 5
    counted(f"kills, one at each call: {kind}", killed)


def test_all_is_durable_before_it_is_told(server, tmp_path):
    """Each file and folder of a step is synced, then the rename, then its line."""
    folder, log = tmp_path / "c", tmp_path / "log"
    started = server.fork("tests.faults.saves", folder, 1, stopped=True)
    started.until(lambda: started.state == "T")
    calls = "fsync,fdatasync,rename,renameat,renameat2,write"
    tracer = attach(started.pid, "-y", "-o", str(log), "-e", f"trace={calls}")
    started.send(signal.SIGCONT)
    tracer.communicate()
    assert started.wait().code == 0
    lines = log.read_text().splitlines()
    told = next(k for k, line in enumerate(lines) if '/out>, "1' in line)
    renamed = next(k for k, line in enumerate(lines) if f'1.tmp", "{folder}/1"' in line)
    synced = [re.search(r"sync\(\d+<(.*?)>", line) for line in lines]
    before = {match[1] for match in synced[:renamed] if match}
    after = {match[1] for match in synced[renamed:told] if match}
    for path in (folder / "1").rglob("*"):
        assert f"{folder}/1.tmp/{path.relative_to(folder / '1')}" in before
    assert renamed < told and str(folder) in after
