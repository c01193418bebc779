"""Stop signals: noted once, deadly twice, the former handlers restored."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from rnnlab.training.signals import STOPPING, StopSignals


@pytest.mark.parametrize("number", STOPPING, ids=lambda s: s.name)
def test_a_signal_is_noted_and_the_former_handlers_return(number):
    former = [signal.getsignal(s) for s in STOPPING]
    with StopSignals() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received == number.name
    assert [signal.getsignal(s) for s in STOPPING] == former
    assert stop.received == number.name


def test_handlers_return_when_the_loop_raises():
    former = [signal.getsignal(s) for s in STOPPING]
    with pytest.raises(ZeroDivisionError), StopSignals():
        raise ZeroDivisionError
    assert [signal.getsignal(s) for s in STOPPING] == former


def test_it_is_inert_in_another_thread():
    former, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with StopSignals() as stop:
            seen.append((stop.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, former)]
    assert signal.getsignal(signal.SIGTERM) == former


LOOP = """
import time
from rnnlab.training.signals import StopSignals
with StopSignals() as stop:
    print("ready", flush=True)
    while stop.received is None or {stubborn}:
        time.sleep(0.01)
        if stop.received:
            print("noted", flush=True)
    print("stopped by", stop.received, flush=True)
"""


def start(stubborn):
    loop = LOOP.format(stubborn=stubborn)
    command = [sys.executable, "-c", loop]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


def test_the_loop_ends_by_itself_after_one_signal():
    child = start(stubborn=False)
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=20)
    assert out.endswith("stopped by SIGTERM\n") and child.returncode == 0


@pytest.mark.parametrize(("second", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_second_signal_ends_the_process_at_once(second, code):
    child = start(stubborn=True)
    child.send_signal(signal.SIGUSR1)
    assert child.stdout.readline().strip() == "noted"
    child.send_signal(signal.Signals[second])
    out, _ = child.communicate(timeout=20)
    assert child.returncode == code and "stopped" not in out
