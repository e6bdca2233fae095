"""What the system tests stand on: an instance of hob in a directory of its own, and looking at
processes from outside, through /proc.

Nothing here waits by a fixed sleep: wait_until() looks again and again, up to a generous bound.
Nothing here signals a process but by a pid that belongs to the instance under test.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOB_BUILD", SOURCE / "build")).resolve()
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534

# Exit statuses (DESIGN section 6).
DONE, FAILED, USAGE, NOT_ACTIVE, NO_SUCH_UNIT, NOT_PERMITTED, TIMED_OUT, NO_ANSWER, ALREADY = range(9)
CANNOT_EXECUTE, NOT_FOUND = 126, 127


def lines_of(path):
    """The lines of a file that a program appends to; none where it does not exist yet."""
    try:
        return pathlib.Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


def wait_until(condition, timeout=20, what="", interval=0.005):
    """Calls condition() until it is true and returns its value; fails after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"waited {timeout} s in vain for {what or getattr(condition, '__name__', 'it')}")
        time.sleep(interval)


def stays_true(condition, seconds, what=""):
    """Fails as soon as condition() is false; for "nothing happens" claims, which need a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not stay true for {seconds} s: {what}"
        time.sleep(0.01)


# What a test needs; where it is missing the reason stands in the report.

def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


def need_program(name):
    found = shutil.which(name, path=PATH)
    if not found:
        pytest.skip(f"needs the program {name}")
    return found


def need_pty():
    try:
        master, slave = pty.openpty()
    except OSError as e:
        pytest.skip(f"needs a pseudo terminal: {e}")
    os.close(master)
    os.close(slave)


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# Processes, seen from outside.

def proc(pid, name):
    """The bytes of /proc/PID/NAME; empty when the process is gone or closed to us."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except OSError:
        return b""


class Stat:
    """The fields of /proc/PID/stat that tests ask about."""

    def __init__(self, pid, raw):
        fields = raw[raw.rindex(b")") + 2:].split()
        self.pid = pid
        self.comm = raw[raw.index(b"(") + 1:raw.rindex(b")")].decode(errors="replace")
        self.state = fields[0].decode()
        self.ppid, self.pgrp, self.session, self.tty = (int(x) for x in fields[1:5])
        self.start = int(fields[19])


def stat(pid):
    raw = proc(pid, "stat")
    return Stat(pid, raw) if raw else None


def alive(pid):
    s = stat(pid)
    return s is not None and s.state not in "ZX"


def gone(pid):
    return not alive(pid)


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def all_stats():
    return {s.pid: s for s in map(stat, all_pids()) if s}


def descendants(*roots, stats=None):
    """The stats of all processes below these."""
    children = {}
    for s in (stats or all_stats()).values():
        children.setdefault(s.ppid, []).append(s)
    found, queue = [], list(roots)
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += [s.pid for s in below]
    return found


def marked(marker):
    """The living processes, but clients of hob, that carry marker as an argument: it survives
    setsid, fork and an emptied environment."""
    marker = str(marker).encode()
    return [pid for pid in all_pids()
            if marker in proc(pid, "cmdline").split(b"\0") and alive(pid) and proc(pid, "comm") != b"hob\n"]


def status_field(pid, key):
    """A field of /proc/PID/status, such as SigIgn."""
    found = re.search(rb"^%s:\s*(.*)$" % key.encode(), proc(pid, "status"), re.M)
    return found.group(1).decode() if found else None


def environment(pid):
    return dict(e.split("=", 1) for e in proc(pid, "environ").decode(errors="surrogateescape").split("\0") if "=" in e)


def descriptors(pid):
    """{number: what it is} of a process."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def limit(pid, name):
    """(soft, hard) as /proc/PID/limits has them."""
    for line in proc(pid, "limits").decode().splitlines():
        if line.startswith(name):
            return tuple(line[26:].split()[:2])
    return None


class Terminal:
    """A command as leader of a session of its own on a pseudo terminal."""

    def __init__(self, argv, env, cwd=None):
        self.output = b""
        self.status = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                if cwd:
                    os.chdir(cwd)
                os.execve(argv[0], [str(a) for a in argv], env)
            finally:
                os._exit(127)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

    def read_some(self, timeout):
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        self.output += data
        return bool(data)

    def read_until(self, pattern, timeout=20):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.output):
            if time.monotonic() > end:
                pytest.fail(f"{pattern!r} did not appear on the terminal: {self.output!r}")
            if not self.read_some(0.2) and self.ended():
                if not re.search(pattern, self.output):
                    pytest.fail(f"{pattern!r} did not appear on the terminal: {self.output!r}")
        return self.output

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self, timeout=20):
        """Reads on until the command has ended; its exit status."""
        end = time.monotonic() + timeout
        while not self.ended():
            assert time.monotonic() < end, f"the command on the terminal does not end: {self.output!r}"
            self.read_some(0.05)
        while self.read_some(0):
            pass
        return self.status

    def type(self, data):
        os.write(self.master, data)

    def close(self):
        """Hangs up: the session gets SIGHUP as when a terminal window is closed."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        if self.status is None:
            with contextlib.suppress(AssertionError, pytest.fail.Exception):
                wait_until(self.ended, 5)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Wire:
    """Varlink by hand on the control socket: JSON messages, each ended by a NUL."""

    def __init__(self, hob, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        connect_long(self.socket, hob.home / "run" / "control")
        self.buffer = b""

    def send(self, method, parameters=None, **extra):
        call = {"method": method, "parameters": parameters or {}, **extra}
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        """The next message, or None at the end."""
        while b"\0" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.buffer += data
        frame, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(frame)

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def connect_long(sock, path):
    """connect() that also takes paths longer than sun_path."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
    finally:
        os.close(directory)


class Hob:
    """One instance in its own HOB_HOME. Calls of the command line, and a guaranteed end."""

    def __init__(self, home, binary, env=None, user=None):
        self.home = pathlib.Path(home)
        self.binary = pathlib.Path(binary)
        self.user = user
        self.env = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(self.home), "HOB_HOME": str(self.home),
                    **(env or {})}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if key in os.environ:
                self.env[key] = os.environ[key]
        self.seen = {}       # pid: start, of processes that are this instance's
        self.strangers = {os.getpid(): stat(os.getpid()).start}  # ... that were looked at and are not

    # Calls.

    def popen(self, *args, env=None, **kw):
        if self.user is not None:
            kw = {"user": self.user, "group": self.user, "extra_groups": [], **kw}
        kw = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
              "text": True, "errors": "surrogateescape", "cwd": self.home, **kw}
        return subprocess.Popen([str(self.binary), *[str(a) for a in args]],
                                env={**self.env, **(env or {})}, **kw)

    def run(self, *args, timeout=30, check=None, input=None, **kw):
        """`hob ARGS`. check: the exit status it must have."""
        if input is not None:
            kw["stdin"] = subprocess.PIPE
        child = self.popen(*args, **kw)
        try:
            out, err = child.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            pytest.fail(f"hob {' '.join(map(str, args))} did not come back in {timeout} s")
        result = subprocess.CompletedProcess(args, child.returncode, out, err)
        if check is not None:
            assert result.returncode == check, \
                f"hob {' '.join(map(str, args))}: exit status {result.returncode}, wanted {check}\n{out}{err}"
        return result

    def json(self, *args, status=None):
        """The JSON that `hob ARGS -o json` prints."""
        result = self.run(*args, "-o", "json", check=status)
        try:
            return json.loads(result.stdout)
        except ValueError:
            pytest.fail(f"hob {' '.join(map(str, args))} -o json: no JSON: {result.stdout!r} {result.stderr!r}")

    def up(self, name, *command, options=(), check=0, **kw):
        """Runs a service without a settle time; the pid of its main process."""
        self.run("run", "--settle", "0", "--name", name, *options, "--", *command, check=check, **kw)
        return self.pid(name)

    def status(self, name):
        return self.json("status", name)

    def pid(self, name):
        return self.status(name)["main_pid"]

    def state(self, name):
        s = self.status(name)
        return f"{s['state']}/{s['sub']}"

    def instance(self):
        """`status -o json` without a name; remembers the processes for the clean-up."""
        i = self.json("status")
        for pid in (i["init_pid"], i["supervisor_pid"], i["logger_pid"]):
            self._remember(pid)
        return i

    def wait_state(self, name, *states, timeout=20):
        """Until the state (or state/sub) is one of these; the status then."""
        def reached():
            s = self.status(name)
            return s if s["state"] in states or f"{s['state']}/{s['sub']}" in states else None
        return wait_until(reached, timeout, f"{name} to be {' or '.join(states)}", interval=0.02)

    def log_file(self, name):
        return self.home / "log" / name / "current.log"

    def log(self, name):
        """All bytes a service has written so far, rotated files included."""
        return self.raw("logs", "--raw", "--no-events", name)

    def raw(self, *args):
        result = self.run(*args, text=False, errors=None, check=0)
        return result.stdout

    def terminal(self, *args, env=None, cwd=None):
        return Terminal([str(self.binary), *args], {**self.env, "TERM": "xterm", **(env or {})}, cwd or self.home)

    def wire(self):
        return Wire(self)

    # The end.

    def _remember(self, pid):
        s = stat(pid) if pid else None
        if s:
            self.seen[pid] = s.start

    def collect(self):
        """Remembers every process that belongs to this instance, however it can be told."""
        mark = f"HOB_HOME={self.home}".encode()
        home = str(self.home).encode()
        stats = all_stats()
        for pid, s in stats.items():
            if s.state in "ZX" or self.seen.get(pid) == s.start or self.strangers.get(pid) == s.start:
                continue
            if home in proc(pid, "cmdline") or mark in proc(pid, "environ").split(b"\0"):
                self.seen[pid] = s.start
            else:
                self.strangers[pid] = s.start
        for s in descendants(*self.left(stats), stats=stats):
            self.seen[s.pid] = s.start

    def left(self, stats=None):
        """The remembered processes that still live, by identity."""
        return [pid for pid, start in self.seen.items()
                if (s := stats.get(pid) if stats else stat(pid)) and s.start == start and s.state not in "ZX"]

    def end(self):
        """Shuts down; what is still there afterwards is killed and returned as [(pid, command)]."""
        self.collect()
        if (self.home / "run" / "control").exists():
            with contextlib.suppress(pytest.fail.Exception):
                self.run("shutdown", timeout=30)
        self.collect()
        end = time.monotonic() + 5
        while self.left() and time.monotonic() < end:
            time.sleep(0.01)
        self.collect()
        left = [(pid, proc(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")) for pid in self.left()]
        while self.left():  # a tree that forks while it is killed: in rounds
            for pid in self.left():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.collect()
            time.sleep(0.005)
        shutil.rmtree(self.home, ignore_errors=True)
        return left
