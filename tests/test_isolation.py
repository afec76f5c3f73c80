"""Functions in child processes: messages, exceptions, crashes, timeouts, and resources after the end."""

import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

import psutil
import pytest

from streamdet import isolation
from streamdet.isolation import ChildEnded, ChildProcess, ChildTimeout

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 60  # generous, since a busy machine is no failure


class OddError(Exception):
    """Cannot be read back from its pickle: its arguments are not those of `__init__`."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def echo(parent, *arguments):
    parent.send(arguments)
    while True:
        parent.send(parent.receive())


def send_two(parent):
    parent.send(1)
    parent.send(2)


def fail(parent, error):
    parent.send("before")
    raise error


def fail_oddly(parent):
    raise OddError("this", "that")


def print_garbage(parent):
    os.write(1, b"from a library, without a line break")
    print("from Python")
    os.write(1, bytes(range(256)) * 100)
    parent.send("undamaged")


def crash(parent):
    os.write(2, b"progress 1\rcannot open rtsp://user:s3cret@camera/1\n")
    ctypes.string_at(0)


def exit_with(parent, code):
    sys.exit(code)


def interrupt_itself(parent):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(TIMEOUT_S)


def hang(parent):
    parent.send(os.getpid())
    time.sleep(3600)


def stop(parent):
    parent.send(os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)  # like a driver that blocks the interpreter


def ignore_everything(parent):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(parent)


def flood(parent, count):
    for number in range(count):
        parent.send(bytes([number % 256]) * 10_000)


def flood_until_full(parent):
    """Receives nothing, so that its inbox fills."""
    hang(parent)


@pytest.fixture
def child():
    """Starts children, and closes them at the end."""
    children = []

    def start(target, *arguments, **options):
        children.append(ChildProcess(target, *arguments, **options))
        return children[-1]

    yield start
    for one in children:
        one.close(0)


@pytest.mark.parametrize(
    "target",
    [echo, functools.partial(echo), f"{__name__}:echo"],
    ids=["function", "partial", "name"],
)
def test_messages_travel_both_ways(child, target):
    one = child(target, 1, "two")
    assert one.receive(TIMEOUT_S) == (1, "two")
    for message in (b"", None, {"a": [1.5, "ä"]}, bytes(3_000_000)):  # the last is far larger than a pipe holds
        one.send(message, TIMEOUT_S)
        assert one.receive(TIMEOUT_S) == message


def test_messages_before_the_end_are_received_and_then_the_end_is_reported(child):
    one = child(send_two, name="counter")
    assert [one.receive(TIMEOUT_S), one.receive(TIMEOUT_S)] == [1, 2]
    for _ in range(2):
        with pytest.raises(ChildEnded, match=r"^counter ended$"):
            one.receive(TIMEOUT_S)
    assert one.exit_code == 0
    with pytest.raises(ChildEnded, match=r"^counter ended$"):
        one.send("too late")


def test_an_exception_of_the_child_is_raised_in_the_parent(child):
    one = child(fail, ValueError("no such thing"))
    assert one.receive(TIMEOUT_S) == "before"
    with pytest.raises(ValueError, match=r"^no such thing$"):
        one.receive(TIMEOUT_S)
    assert one.exit_code == 1
    assert one.last_line == "", "the child prints no traceback"
    with pytest.raises(ValueError, match=r"^no such thing$"):
        one.send("too late")


def test_an_exception_that_cannot_be_pickled_is_raised_as_its_text(child):
    with pytest.raises(ChildEnded, match=r"^OddError: this and that$"):
        child(fail_oddly).receive(TIMEOUT_S)


@pytest.mark.parametrize(
    ("target", "error"),
    [("no_such_module:f", ModuleNotFoundError), (f"{__name__}:no_such_function", AttributeError)],
)
def test_a_function_that_does_not_exist_is_an_error(child, target, error):
    with pytest.raises(error, match="no_such"):
        child(target).receive(TIMEOUT_S)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems name the signal differently")
def test_a_crash_names_the_signal_and_the_last_line_without_credentials(child):
    one = child(crash, name="decoder")
    with pytest.raises(ChildEnded) as ended:
        one.receive(TIMEOUT_S)
    assert str(ended.value) == "decoder crashed (SIGSEGV): cannot open rtsp://***@camera/1"
    assert one.exit_code == -signal.SIGSEGV


@pytest.mark.parametrize(("code", "words"), [(7, "ended with code 7"), (0, "ended"), ("why", "ended with code 1")])
def test_sys_exit_of_the_child_does_not_end_the_parent(child, code, words):
    one = child(exit_with, code, name="it")
    with pytest.raises(ChildEnded, match=f"^it {words}$"):
        one.receive(TIMEOUT_S)


def test_a_hang_is_a_timeout_and_the_child_can_be_killed(child):
    one = child(hang, name="driver")
    pid = one.receive(TIMEOUT_S)
    began = time.monotonic()
    with pytest.raises(ChildTimeout, match=r"^driver gave no answer within 0\.1 s$"):
        one.receive(0.1)
    assert isinstance(ChildTimeout(), TimeoutError)
    assert one.exit_code is None
    one.kill()
    one.close()
    assert time.monotonic() - began < 5
    assert not psutil.pid_exists(pid)
    assert one.describe_end() == "was killed"
    with pytest.raises(ChildEnded):
        one.receive(1)
    with pytest.raises(ChildEnded, match=r"^driver is closed$"):
        one.send("too late")


@pytest.mark.skipif(sys.platform == "win32", reason="a full pipe blocks there")
def test_a_child_that_takes_no_messages_is_a_timeout(child):
    one = child(stop, name="publisher")
    one.receive(TIMEOUT_S)
    with pytest.raises(ChildTimeout, match=r"^publisher did not read a message within 0\.1 s$"):
        one.send(bytes(10_000_000), 0.1)
    with pytest.raises(ChildEnded, match=r"^publisher is closed$"):
        one.send(b"", 0.1)


def test_closing_ends_a_receiver_that_waits(child):
    one = child(hang, name="it")
    one.receive(TIMEOUT_S)
    threading.Timer(0.3, one.close, [0]).start()
    with pytest.raises(ChildEnded, match=r"^it was killed$"):
        one.receive()


@pytest.mark.skipif(sys.platform == "win32", reason="a full pipe blocks there")
def test_killing_ends_a_sender_that_waits(child):
    one = child(stop)
    one.receive(TIMEOUT_S)
    threading.Timer(0.3, one.kill).start()
    with pytest.raises(ChildEnded, match="was killed"):
        one.send(bytes(10_000_000))


def test_closing_ends_a_child_that_waits_for_messages():
    with ChildProcess(echo) as one:
        one.receive(TIMEOUT_S)
    assert one.exit_code == 0
    one.close()


def test_closing_kills_a_child_that_does_not_return(child):
    one = child(ignore_everything)
    pid = one.receive(TIMEOUT_S)
    one.close(0.1)
    assert not psutil.pid_exists(pid)


def test_closing_ends_a_child_with_unread_messages(child):
    one = child(flood, 100_000)
    began = time.monotonic()
    one.close(0.1)
    assert time.monotonic() - began < 10
    assert one.exit_code is not None


def test_a_slow_receiver_gets_every_message(child):
    one = child(flood, 300)
    time.sleep(0.2)
    assert [one.receive(TIMEOUT_S)[0] for _ in range(300)] == [number % 256 for number in range(300)]


def test_output_of_libraries_does_not_damage_messages(child, capfd):
    one = child(print_garbage)
    assert one.receive(TIMEOUT_S) == "undamaged"
    one.close()
    assert capfd.readouterr() == ("", "")


def test_output_of_the_start_up_does_not_damage_messages(child, tmp_path, monkeypatch):
    """For example from `sitecustomize`, or from a library that a .pth file loads."""
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(1, b'welcome\\nwithout a line break')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = child(echo)
    assert one.receive(TIMEOUT_S) == ()
    assert one.last_line == "without a line break"


def test_an_interpreter_that_dies_at_once_names_the_cause(child, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'broken installation\\n'); os._exit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ChildEnded, match=r"^it ended with code 9: broken installation$"):
        child(echo, name="it").receive(TIMEOUT_S)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_child_prints_no_traceback(child):
    one = child(interrupt_itself, name="it")
    with pytest.raises(ChildEnded, match=r"^it ended with code 130$"):
        one.receive(TIMEOUT_S)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
def test_ctrl_c_in_a_terminal_does_not_reach_a_child(child):
    pid = child(hang).receive(TIMEOUT_S)
    assert os.getpgid(pid) == pid != os.getpgid(0)


def test_many_at_once():
    children = [ChildProcess(echo, number) for number in range(8)]
    assert [one.receive(TIMEOUT_S) for one in children] == [(number,) for number in range(8)]
    for one in children:
        one.close()
    assert [one.exit_code for one in children] == [0] * 8


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts file descriptors in /proc")
@pytest.mark.parametrize("end", ["return", "raise", "crash", "kill", "close"])
def test_no_file_thread_or_zombie_remains(end):
    def use():
        with ChildProcess({"return": send_two, "raise": fail_oddly, "crash": crash}.get(end, hang)) as one:
            if end in ("kill", "close"):
                one.receive(TIMEOUT_S)
                one.kill() if end == "kill" else one.close(0)
            else:
                with pytest.raises(ChildEnded):
                    deque(iter(functools.partial(one.receive, TIMEOUT_S), None), maxlen=0)

    use()
    before = os.listdir("/proc/self/fd"), threading.active_count()
    for _ in range(2):
        use()
    assert (os.listdir("/proc/self/fd"), threading.active_count()) == before
    assert psutil.Process().children() == [], "a zombie is a child too"


def test_failure_to_start_a_thread_leaves_nothing_behind(monkeypatch):
    """For example because another program has started tens of thousands."""
    started = []
    real = isolation.subprocess.Popen
    monkeypatch.setattr(isolation.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1])

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(isolation.threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        ChildProcess(hang)
    (process,) = started
    assert process.poll() is not None
    assert process.stdin.closed
    assert process.stdout.closed
    assert process.stderr.closed


def test_failure_to_start_a_process_is_an_oserror(monkeypatch):
    monkeypatch.setattr(isolation.sys, "executable", "/no/such/python")
    with pytest.raises(OSError, match="No such file"):
        ChildProcess(hang)


ORPHANS = f"""
import sys, time
from streamdet.isolation import ChildProcess
children = [ChildProcess("{__name__}:" + name) for name in ("echo", "hang", "flood_until_full")]
print(children[1].receive({TIMEOUT_S}), *(one._process.pid for one in children), flush=True)
for _ in range(200):
    children[2].send(bytes(10))
time.sleep({TIMEOUT_S})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_children_end_when_the_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    _, *pids = map(int, parent.stdout.readline().split())
    assert all(map(psutil.pid_exists, pids))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + TIMEOUT_S
    while left := [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


def test_no_package_is_imported_before_the_function(child, tmp_path, monkeypatch):
    """A child must also work where the installation is broken."""
    loaded = "{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names"
    (tmp_path / "lists_imports.py").write_text(f"import sys\ndef run(parent): parent.send({loaded})\n")
    monkeypatch.syspath_prepend(tmp_path)
    command = [sys.executable, "-P", "-c", f"import sys; print(*{loaded})"]
    bare = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert child("lists_imports:run").receive(TIMEOUT_S) - set(bare) == {"streamdet", "lists_imports"}
