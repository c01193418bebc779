"""A forked command is the command."""

import subprocess
import sys

from starts import ROOT, final


def test_a_fork_does_what_a_process_does(server, flags, tmp_path):
    ended = server.run("run", workdir=tmp_path / "fork", **flags)
    assert ended.code == 0, ended.err
    given = [f"--{name}={value}" for name, value in flags.items()]
    command = [sys.executable, "-m", "launch.run", f"--workdir={tmp_path / 'process'}"]
    subprocess.run([*command, *given], cwd=ROOT, check=True, capture_output=True)
    assert final(tmp_path / "fork") == final(tmp_path / "process")
    assert server.run("run", workdir=tmp_path / "fork", **flags).code == 2
    assert server.run("checkpoints", "hash", tmp_path / "fork").out.split() == [
        *map(str, final(tmp_path / "process"))
    ]
