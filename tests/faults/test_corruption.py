"""Damaged checkpoints are found, put away, and never a reason to begin anew."""

import random
import shutil

import pytest
from saves import state
from starts import events, final

from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.leaves import digest


def flip(path, rng):
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def zero(path, rng):
    data = path.read_bytes()
    start = rng.randrange(len(data))
    blank = bytes(len(data[start : start + 512]))
    changed = data[:start] + blank + data[start + 512 :]
    path.write_bytes(changed if changed != data else data + b"\0")


def truncate(path, rng):
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])


def delete(path, rng):
    path.unlink()


def empty(path, rng):
    path.write_bytes(b"")


def swap(path, rng):
    step = next(parent for parent in path.parents if parent.name == "3")
    others = [p for p in sorted(step.rglob("*")) if p.is_file()]
    other = next(p for p in others if p.read_bytes() != path.read_bytes())
    mine, its = path.read_bytes(), other.read_bytes()
    path.write_bytes(its)
    other.write_bytes(mine)


def add(path, rng):
    path.with_name(path.name + ".more").write_bytes(b"")


CHANGES = [flip, zero, truncate, delete, empty, swap, add]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    with Checkpoints(folder, keep=3) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, state(step), {"step": step})
    return folder


def test_every_change_to_every_file_is_found(saved, tmp_path, many, counted):
    rng, found = random.Random(0), 0
    names = [
        path.relative_to(saved / "3")
        for path in sorted((saved / "3").rglob("*"))
        if path.is_file() and path.stat().st_size
    ]
    assert len(names) >= 6
    for k in range(many(100, 1000)):
        folder = tmp_path / "c"
        shutil.copytree(saved, folder)
        change = CHANGES[k % len(CHANGES)]
        change(folder / "3" / names[k // len(CHANGES) % len(names)], rng)
        with Checkpoints(folder, keep=3) as checkpoints:
            whole, damaged = checkpoints.whole()
            assert whole.step == 2 and [*damaged] == [3], (change, k)
            if k % 20 == 0:
                assert digest(whole.restore(state(2))) == digest(state(2))
        found += 1
        shutil.rmtree(folder)
    counted("changes to files of a checkpoint, all found", found)


def spoil(folder, step):
    flip(folder / str(step) / "metadata.json", random.Random(step))


def test_an_older_step_is_used_and_the_end_is_the_same(
    server, flags, finished, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    spoil(folder / "checkpoints", 40)
    assert server.run("checkpoints", "verify", folder).code == 4
    (folder / "checkpoints" / "99").mkdir()  # junk
    ended = server.run("run", workdir=folder, resume=True, **flags)
    assert ended.code == 0, ended.err
    assert "warning: checkpoint 40 is damaged" in ended.err
    assert "what is no checkpoint: 99" in ended.err
    assert final(folder) == final(finished)
    assert [event["step"] for event in events(folder, "quarantined")] == [40]
    assert events(folder, "resumed")[-1]["step"] == 36
    ward = folder / "checkpoints" / "quarantine" / "1-step-40"
    assert (ward / "metadata.json").exists()
    assert server.run("checkpoints", "verify", folder).code == 0


def test_with_no_whole_step_left_nothing_begins_anew(server, flags, finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for step in (36, 40):
        spoil(folder / "checkpoints", step)
    before = sorted(folder.rglob("*"))
    for _ in range(2):
        ended = server.run("run", workdir=folder, resume=True, **flags)
        assert ended.code == 4 and "none is left" in ended.error, ended.err
    assert sorted(folder.rglob("*")) == before
    assert server.run("checkpoints", "quarantine", folder).code == 0
    ended = server.run("run", workdir=folder, resume=True, **flags)
    assert ended.code == 4 and "Traceback" not in ended.err
    shutil.rmtree(folder / "checkpoints")  # a lost mount, say
    assert server.run("run", workdir=folder, resume=True, **flags).code == 4


def test_a_lost_best_is_told_and_its_predecessor_or_the_next_takes_its_place(
    server, flags, finished, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    with Checkpoints(folder / "best", 1) as best:
        for step in best.steps:
            spoil(folder / "best", step)
    ended = server.run("evaluate", workdir=folder, split="valid")
    assert ended.code == 4 and "launch.checkpoints quarantine" in ended.error
    longer = flags | {"steps": 60, "override": True}
    ended = server.run("run", workdir=folder, resume=True, **longer)
    assert ended.code == 0 and "is not there any more" in ended.err, ended.err
    with Checkpoints(folder / "best", 1) as best:
        assert best.steps and best.whole()[0].step == best.latest
    assert server.run("evaluate", workdir=folder, split="valid").code == 0


def test_the_quarantine_is_capped(tmp_path, saved):
    folder = tmp_path / "c"
    for turn in range(5):
        shutil.copytree(saved / "3", folder / str(turn))
        with Checkpoints(folder, keep=3) as checkpoints:
            checkpoints.quarantine(turn)
    with Checkpoints(folder, keep=3) as checkpoints:
        assert checkpoints.quarantined == ["3-step-2", "4-step-3", "5-step-4"]


def test_a_best_checkpoint_alone_is_not_the_rest_of_a_run(
    server, flags, finished, tmp_path
):
    """A run of before there were events, say, whose newest steps are lost."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "checkpoints")
    (folder / "events.jsonl").unlink()
    ended = server.run("run", workdir=folder, resume=True, **flags)
    assert ended.code == 4 and "begin anew in another --workdir" in ended.error
    assert [*(folder / "best").glob("[0-9]*")]


def test_a_workdir_without_checkpoints_is_not_verified(server, tmp_path):
    ended = server.run("checkpoints", "verify", tmp_path)
    assert ended.code == 4 and "there is none; name" in ended.error
