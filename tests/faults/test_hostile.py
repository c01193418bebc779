"""Files from someone hostile are data or an error: none runs, blocks, or grows."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess

import hostile
import numpy as np
import pytest
from starts import ROOT

from launch import checkpoints as commands
from launch import curves, records, results, trained
from rnnlab.data import text
from rnnlab.errors import InputError, RunError
from rnnlab.interop import files as interop
from rnnlab.training import events, grid
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.events import Events
from rnnlab.training.resume import resume
from rnnlab.training.writers import MetricsWriter

# Orbax leaves the readers of the other arrays behind it, each with the error it had.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

CODES = {2, 4, 5}
GIB = 1 << 30
COMMAND_GIB, MORE_GIB, SECONDS = 12, 4, 60

FORBIDDEN = re.compile(
    r"\b(pickle|cloudpickle|dill|joblib|marshal|allow_pickle)\b"
    r"|\byaml\.(load|unsafe)|\btorch\.load\b|\bextractall\("
    r"|(?<![\w.])(eval|exec)\(|\bos\.system\b|\bshell=True"
)
REVIEWED = {  # (file, part of the line): why it is no harm
    ("rnnlab/interop/files.py", "safetensors, and no pickle."): "it says that none is",
    ("launch/measuring/trees.py", 'filter="data")'): "git's own archive",
}


def forbidden(path):
    """Returns the lines of a file that could run what they read."""
    return [line for line in path.read_text().splitlines() if FORBIDDEN.search(line)]


def test_no_code_runs_what_it_reads():
    hits = {
        (file.relative_to(ROOT).as_posix(), line)
        for folder in ("rnnlab", "experiments", "launch")
        for file in (ROOT / folder).rglob("*.py")
        for line in forbidden(file)
    }
    reviewed = {
        (file, part): {hit for hit in hits if hit[0] == file and part in hit[1]}
        for file, part in REVIEWED
    }
    assert not hits.difference(*reviewed.values())
    assert all(reviewed.values()), "a line that was reviewed is gone"


def test_the_gate_tells_words_apart(tmp_path):
    bad = ["import pickle", "x = yaml.load(f)", "yaml.unsafe_load(f)", "os.system(x)"]
    bad += ["np.load(f, allow_pickle=True)", "torch.load(f)", "tar.extractall(x)"]
    bad += ["eval(x)", " exec(x)", "run(x, shell=True)", "from joblib import load"]
    good = ["model.eval()", "jax.eval_shape(f)", "evaluate(x)", "unpickled = 1"]
    good += ["retrieval(x)", "json.load(f)", "subshell=Truest", "self.exec(x)"]
    (tmp_path / "a.py").write_text("\n".join(good + bad))
    assert forbidden(tmp_path / "a.py") == bad


@pytest.fixture(autouse=True)
def bounded():
    """Ends what takes a minute, or 4 GB more than there is."""

    def end(number, frame):
        raise AssertionError("it takes too long")

    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, end)
    resource.setrlimit(resource.RLIMIT_AS, (held + MORE_GIB * GIB, before[1]))
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    resource.setrlimit(resource.RLIMIT_AS, before)
    signal.signal(signal.SIGALRM, handler)


@pytest.fixture
def canary(tmp_path, counted):
    """Returns the path of a file that must not come to be."""
    counted("hostile files", 1)
    yield tmp_path / "canary"
    assert not os.path.lexists(tmp_path / "canary")


@pytest.fixture
def workdir(finished, tmp_path):
    yield shutil.copytree(finished, tmp_path / "run", symlinks=True)
    # Python's own way, and so pytest's, ends at folders a thousand deep.
    subprocess.run(["rm", "-rf", tmp_path / "run"], check=True)


@pytest.fixture
def newest(workdir):
    """The newest step; there is no best one."""
    shutil.rmtree(workdir / "best")
    return workdir / "checkpoints" / "40"


@pytest.fixture
def command(server):
    """Returns a function that runs a command in bounds and returns how it ended."""

    def run(name, *arguments, **given):
        started = server.start(name, *arguments, **given)
        bound = COMMAND_GIB * GIB
        resource.prlimit(started.pid, resource.RLIMIT_AS, (bound, bound))
        ended = started.wait(SECONDS)
        assert ended.code in {0, *CODES}, (ended.code, ended.err[-3000:])
        assert "Traceback" not in ended.err
        if ended.code:
            assert ended.error.startswith("error: ") and len(ended.error) <= 600
        return ended

    return run


@contextlib.contextmanager
def told():
    """Takes an error of which a person can make something."""
    try:
        yield
    except RunError as error:
        assert error.exit_code in CODES, error
        assert str(error).count("\n") == 0


def read_beside(workdir):
    """Reads all that lies beside the state, as the commands do."""
    with told():
        records.read(workdir)
    with told():
        results.read(workdir)
    with told():
        events.read(workdir)
    with told():
        Events(workdir).write("read")
    with told():
        curves.draw(workdir)
    with told(), MetricsWriter(workdir, 40, tensorboard=False):
        pass
    with told():
        grid.read(workdir)


NAMES = ("config.json", "result.json", "events.jsonl", "metrics.jsonl", "results.jsonl")


@pytest.mark.parametrize("what", [*hostile.CONTENTS, *hostile.PLACES])
def test_files_beside_the_state(tmp_path, canary, what):
    for name in NAMES:
        hostile.put(tmp_path / name, what, canary)
    read_beside(tmp_path)
    for name in NAMES:
        assert not (tmp_path / f".{name}.tmp").exists()


@pytest.mark.parametrize("what", ["a pickle", "a pipe", "objects for numbers", "40 GB"])
def test_commands_and_files_beside_the_state(workdir, canary, command, flags, what):
    codes = []
    for name in ("metrics.jsonl", "events.jsonl", "config.json"):
        kept = (workdir / name).read_bytes()
        hostile.put(workdir / name, what, canary)
        codes.append(command("run", workdir=workdir, resume=True, **flags).code)
        (workdir / name).unlink()
        (workdir / name).write_bytes(kept)
    hostile.put(workdir / "result.json", what, canary)
    place = flags["cache_dir"]
    codes.append(command("evaluate", workdir=workdir, cache_dir=place).code)
    assert codes[2] == 2 and codes[0] == 2, codes


def use(workdir):
    """Reads a checkpoint as `evaluate`, `sample` and `checkpoints hash` do."""
    with told():
        trained.restore(str(workdir))
    with told():
        commands._hash(workdir)


@pytest.fixture(scope="module")
def going_on(finished):
    """Returns a function that resumes the run in a workdir."""
    run = trained.restore(str(finished))

    def go(workdir):
        with (
            Checkpoints(workdir / "checkpoints", keep=2) as newest,
            Checkpoints(workdir / "best", keep=1) as best,
        ):
            settings, log = run.record.config.training, Events(workdir)
            return resume(run.task, settings, newest, best, log, workdir)

    return go


@pytest.mark.parametrize("place, value", hostile.RECORDS)
def test_records(newest, workdir, canary, going_on, place, value):
    hostile.record(newest, place, value)
    use(workdir)
    (workdir / "config.json").unlink()
    with told():
        records.read(workdir)
    with told():
        going_on(workdir)


@pytest.mark.parametrize("place, value", hostile.RESUMED)
def test_records_of_a_run_that_goes_on(newest, workdir, canary, going_on, place, value):
    hostile.record(newest, place, value)
    with told():
        going_on(workdir)


def test_a_step_by_the_number_of_another(newest, workdir, canary, going_on):
    newest.rename(newest.with_name(str(10**18 - 1)))
    newest.with_name("36").rename(newest.with_name("9" * 200))
    with pytest.raises(RunError, match="holds the state of step 40"):
        going_on(workdir)


@pytest.mark.parametrize("what", hostile.CONTENTS)
def test_metadata(newest, workdir, canary, going_on, what):
    hostile.put(newest / "metadata.json", what, canary)
    hostile.reseal(newest)
    use(workdir)
    with told():
        going_on(workdir)


@pytest.mark.parametrize("what", hostile.ARRAYS)
def test_arrays(newest, workdir, canary, going_on, what):
    hostile.ARRAYS[what](newest)
    use(workdir)
    with told():
        going_on(workdir)


def test_a_class_to_import(newest, workdir, canary, monkeypatch):
    hostile.importable(workdir, "hostile_module", canary)
    monkeypatch.syspath_prepend(workdir)
    hostile.handler(newest, "hostile_module.Handler")
    use(workdir)


def test_arrays_for_more_memory_than_there_is(newest, workdir, canary):
    hostile.model_of_gigabytes(newest)
    with pytest.raises(RunError, match="bytes do not come from"):
        trained.restore(str(workdir))


@pytest.mark.parametrize("number", hostile.STEPS)
def test_steps(newest, workdir, canary, command, going_on, number):
    step = shutil.copytree(newest, newest.with_name(str(number)))
    hostile.STEPS[number](step)
    assert command("checkpoints", "verify", workdir).code == 4
    assert command("checkpoints", "list", workdir).code == 0
    going_on(workdir)  # from step 40
    assert not os.path.lexists(step)


@pytest.mark.parametrize("name, make", hostile.ARCHIVES.values(), ids=hostile.ARCHIVES)
def test_archives(tmp_path, canary, name, make):
    make(tmp_path / name, canary)
    with pytest.raises(InputError) as caught:
        load(tmp_path / name, tmp_path)
    assert "--data" in str(caught.value)


@pytest.mark.parametrize("what", hostile.DATA)
def test_data(tmp_path, canary, what):
    hostile.DATA[what](tmp_path / "data", canary)
    with pytest.raises(InputError, match="data"):
        load(tmp_path / "data", tmp_path)


def load(data, folder, **more):
    return text.load(str(data), "char", cache_dir=str(folder / "cache"), **more)


def test_a_prepared_data_set_of_a_class_to_import(tmp_path, canary, monkeypatch):
    hostile.prepared(tmp_path / "sets", "hostile_features")
    hostile.importable(tmp_path, "hostile_features", canary)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="hostile_features"):
        load("tfds:hostile_set", tmp_path, data_dir=str(tmp_path / "sets"))


@pytest.mark.parametrize("what", [*hostile.CONTENTS, *hostile.PLACES])
@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "train.ids"])
def test_the_cache(tmp_path, canary, name, what):
    (tmp_path / "text.txt").write_bytes(hostile.TEXT)
    wanted = load(tmp_path / "text.txt", tmp_path)
    (file,) = (tmp_path / "cache").rglob(name)
    hostile.put(file, what, canary)
    found = load(tmp_path / "text.txt", tmp_path)
    assert found.splits["train"].tolist() == wanted.splits["train"].tolist()


@pytest.mark.parametrize("what", [*hostile.CONTENTS, *hostile.PLACES, *hostile.TENSORS])
def test_parameters(tmp_path, canary, what):
    if what in hostile.TENSORS:
        (tmp_path / "a.safetensors").write_bytes(hostile.TENSORS[what])
    else:
        hostile.put(tmp_path / "a.safetensors", what, canary)
    with pytest.raises(InputError, match="safetensors"):
        interop.load(tmp_path / "a.safetensors", {"w": np.zeros((2, 3), np.float32)})
