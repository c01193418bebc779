"""Flags that make one run of several processes, each started with the same command.

`--coordinator=HOST:PORT --processes=N --process_id=K`, where HOST is that of process 0,
or `--coordinator=slurm`, or `--coordinator=auto` on a TPU pod. The workdir is a folder
that all of them see; process 0 alone writes there, but for the arrays of checkpoints.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

from absl import flags

from launch.aborts import Abort
from rnnlab.errors import InputError, PeerLost, RunError

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # they count, in --help too, as those of the command

flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT of process 0 where a run has several; slurm, to take all from Slurm's"
    " variables; auto, where JAX knows by itself (TPU pods, Open MPI)",
)
flags.DEFINE_integer("processes", None, "with HOST:PORT: how many", lower_bound=1)
flags.DEFINE_integer("process_id", None, "which of them this is, from 0", lower_bound=0)
flags.DEFINE_integer(
    "devices", None, "devices there must be, in all processes together", lower_bound=1
)
flags.DEFINE_integer(
    "connect_seconds", 300, "how long processes wait for each other", lower_bound=1
)

HEARTBEAT = 20  # seconds without one after which a process is taken for lost
SHUTDOWN = 20  # seconds that a process which ends waits for the others


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Makes this process one of the run's, as the flags say.

    Raises:
        InputError: the flags do not fit together, the coordinator's port is taken, or
            there are fewer devices than asked for.
        PeerLost: another process has ended.
    """
    given = [FLAGS.processes, FLAGS.process_id]
    named = ":" in (FLAGS.coordinator or "")
    if given.count(None) != (0 if named else 2):
        names = "coordinator", "processes", "process_id"
        present = [FLAGS[name] for name in names if FLAGS[name].present]
        came = [f"--{flag.name}={flag.value}" for flag in present]
        raise InputError(
            f"--coordinator=HOST:PORT, --processes and --process_id were wanted, all"
            f" three or none, got {' and '.join(came)} alone; add what is missing, or"
            f" leave all out."
        )
    abort = _connect() if FLAGS.coordinator else None
    _check_devices()
    try:
        yield
    except RunError as error:
        if abort is not None:
            abort.fails(error)
        raise
    except (RuntimeError, ValueError, OSError) as error:
        from rnnlab.training import team

        if abort is None or not team.is_lost(error):
            raise
        lost = _lost(str(error))
        abort.fails(lost)
        raise lost from error


def _connect() -> Abort:
    """Connects with the other processes; returns what an abort is to say.

    Process 0 waits for the others, and they for it, `--connect_seconds` long. JAX may
    end the process here, which is then told as a coordinator that was not reached.
    """
    import jax

    place = FLAGS.coordinator
    known: dict[str, Any] = {}
    match place:
        case "auto":
            place = "that JAX finds by itself"
        case "slurm":
            known["cluster_detection_method"] = "slurm"
            place = f"of Slurm's job {_slurm()}"
        case _:
            _check_place()
            known = {
                "coordinator_address": place,
                "num_processes": FLAGS.processes,
                "process_id": FLAGS.process_id,
                "cluster_detection_method": "deactivate",
            }
            place = f"{place}, for process {FLAGS.process_id} of {FLAGS.processes}"
    abort = Abort(
        InputError(
            f"All processes were to meet within {FLAGS.connect_seconds} s at the"
            f" coordinator {place}, and did not; start all of them, with the same"
            f" --coordinator, where its port can be reached, or raise"
            f" --connect_seconds."
        )
    )
    # It would take SIGTERM; a stop is passed on by the training loop.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        with abort.silenced():
            jax.distributed.initialize(
                **known,
                initialization_timeout=FLAGS.connect_seconds,
                heartbeat_timeout_seconds=HEARTBEAT,
                shutdown_timeout_seconds=SHUTDOWN,
            )
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"--coordinator={FLAGS.coordinator} must tell JAX where the processes are,"
            f" but: {error}; give --coordinator=HOST:PORT, --processes and"
            f" --process_id."
        ) from error
    abort.error = _lost("its heartbeat, or the coordinator, has stopped")
    return abort


def _slurm() -> str:
    """Returns the job by which Slurm's processes find each other.

    Raises:
        InputError: this is not a step of a Slurm job.
    """
    names = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID")
    lacking = [name for name in (*names, "SLURM_LOCALID") if name not in os.environ]
    if lacking:
        raise InputError(
            f"--coordinator=slurm needs the variables of a Slurm step, and"
            f" {', '.join(lacking)} is not set; start the command with srun."
        )
    job, nodes, count, number = (os.environ[name] for name in names)
    return f"{job} on the first of {nodes}, for process {number} of {count}"


def _check_place() -> None:
    """Raises InputError where HOST:PORT and K of N cannot be meant.

    Process 0 also asks for the port: JAX's server does not say that it is taken.
    """
    host, _, port = FLAGS.coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise InputError(
            f"--coordinator must be HOST:PORT with a port from 1 to 65535, slurm or"
            f" auto, got {FLAGS.coordinator!r:.80}."
        )
    if FLAGS.process_id >= FLAGS.processes:
        raise InputError(
            f"--process_id must be below --processes={FLAGS.processes}, got"
            f" {FLAGS.process_id}; count from 0."
        )
    if FLAGS.process_id:
        return
    try:
        with socket.socket(socket.AF_INET6) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind(("::", int(port)))
    except OSError as error:
        raise InputError(
            f"Process 0 must be able to listen at port {port} of --coordinator, but"
            f" {error.strerror}; take another port, for all processes."
        ) from error


def _check_devices() -> None:
    """Raises InputError where there are fewer devices than asked for."""
    if FLAGS.devices is None:
        return
    import jax

    if jax.device_count() < FLAGS.devices:
        raise InputError(
            f"--devices={FLAGS.devices} were wanted, and there are"
            f" {jax.device_count()} in {jax.process_count()} processes; start more"
            f" processes, or lower it."
        )


def _lost(why: str) -> PeerLost:
    return PeerLost(
        f"Another process of this run was lost ({why:.200}); its own output says why,"
        f" and the same commands with --resume go on from the last checkpoint."
    )
