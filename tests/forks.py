"""A process that has imported everything, and forks one for each command it is told.

A start of `launch.run` is mostly imports. Forked before JAX has made a thread, a
command is what it is in a process of its own, without them. Requests and answers are
lines of JSON:

    {"module": "launch.run", "argv": [...], "out": PATH, "err": PATH} -> pid
    {"wait": pid} -> exit code, or minus the number of the signal

With "env" a command gets variables, with "stopped" it waits for SIGCONT first, with
"largest_file" it can write no file of more bytes.
"""

import gc
import json
import os
import resource
import runpy
import signal
import sys
import traceback
import warnings


def preload():
    """Imports what the commands import."""
    import jax  # noqa: F401
    import matplotlib.figure  # noqa: F401

    import experiments
    from launch import curves, records, results, trained  # noqa: F401
    from rnnlab.training import loop, writers  # noqa: F401

    writers.summary_writer()
    for name in experiments.EXPERIMENTS:
        experiments.load(name)


def become(request):
    """Runs the command in this process, which ends with it."""
    code = 1
    try:
        for name, number in (("out", 1), ("err", 2)):
            file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
        os.environ.update(request.get("env", {}))
        os.setsid()
        limit = int(request.get("largest_file", resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if request.get("stopped"):
            os.kill(os.getpid(), signal.SIGSTOP)  # until a tracer lets it go on
        module = request["module"]
        sys.argv = [module.replace(".", "/") + ".py", *request["argv"]]
        runpy.run_module(module, run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        traceback.print_exc()
    finally:
        # As at a normal end: threads are waited for, buffers are written.
        import threading

        threading._shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main():
    """Answers until there are no more requests."""
    preload()
    gc.freeze()
    warnings.simplefilter("ignore")  # JAX warns of any fork
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                become(request)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
