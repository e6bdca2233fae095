"""What a started program is, looked at from outside: a proper daemon (DAEMON.md S1-S13, C1-C40)."""
import os
import resource
import signal
import subprocess
import time

import pytest

from hoblib import *


@pytest.fixture
def daemon(hob, actor):
    return hob.up("web", actor, "pause"), hob


def test_session_and_terminal(daemon):
    pid, hob = daemon
    s = stat(pid)
    assert s.session == s.pgrp == pid, "leader of a session of its own"
    assert s.tty == 0
    assert s.ppid == hob.instance()["init_pid"]


def test_signals(daemon):
    pid, _ = daemon
    sigpipe = 1 << (signal.SIGPIPE - 1)
    assert int(status_field(pid, "SigBlk"), 16) == 0
    assert int(status_field(pid, "SigIgn"), 16) & ~sigpipe == 0


def test_sigpipe_is_ignored_as_in_systemd_unless_told(hob, actor):
    sigpipe = 1 << (signal.SIGPIPE - 1)
    assert int(status_field(hob.up("a", actor, "pause", options=["-p", "IgnoreSIGPIPE=yes"]), "SigIgn"), 16) == sigpipe
    assert int(status_field(hob.up("b", actor, "pause", options=["-p", "IgnoreSIGPIPE=no"]), "SigIgn"), 16) == 0


def test_descriptors(daemon):
    pid, hob = daemon
    fds = descriptors(pid)
    assert set(fds) == {0, 1, 2}
    assert fds[0] == "/dev/null"
    assert fds[1] == fds[2] and fds[1].startswith(str(hob.home / "run" / "fifo" / "web."))


def test_a_hostile_caller(make_hob, actor, tmp):
    """Ignored and blocked signals, open descriptors, a strange umask, low limits of the caller: none of it arrives."""
    hob = make_hob()
    opened = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(20)]
    os.set_inheritable(opened[7], True)
    high = os.dup2(opened[0], 900) if resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 900 else opened[0]
    os.set_inheritable(high, True)

    def spoil():
        for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGTSTP, signal.SIGTTOU, 40):
            signal.signal(s, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD, 41})
        os.umask(0o777)
        os.setpriority(os.PRIO_PROCESS, 0, 5)
    try:
        hob.run("run", "--name", "web", "--settle", "0", "--", actor, "print:x", "pause", check=0, preexec_fn=spoil, close_fds=False)
    finally:
        for fd in {*opened, high}:
            os.close(fd)
    pid = hob.pid("web")
    assert set(descriptors(pid)) == {0, 1, 2}
    assert int(status_field(pid, "SigBlk"), 16) == 0
    assert int(status_field(pid, "SigIgn"), 16) & ~(1 << (signal.SIGPIPE - 1)) == 0
    assert status_field(pid, "Umask") == "0022"
    wait_until(lambda: hob.log("web") == b"x\n")
    i = hob.instance()
    for role in ("init_pid", "supervisor_pid", "logger_pid"):
        assert "/etc/passwd" not in descriptors(i[role]).values(), role
        assert status_field(i[role], "Umask") in ("0022", "0077", "0027"), role
    hob.run("stop", "web", check=0)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_closed_standard_descriptors(hob, actor, closed):
    shell = " ".join(f"{fd}>&-" for fd in closed)
    subprocess.run(["sh", "-c", f'"$0" run --name web --settle 0 -- "$1" print:x pause {shell}', hob.binary, actor], env=hob.env, cwd=hob.home,
                   timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = hob.pid("web")
    assert set(descriptors(pid)) == {0, 1, 2}
    assert descriptors(pid)[0] == "/dev/null"
    wait_until(lambda: hob.log("web") == b"x\n")


def test_the_callers_pipe_is_not_kept(hob, actor):
    """out=$(hob run ...) comes back at once: nobody holds the pipe. (Every call in these tests is such a one.)"""
    done = subprocess.run(["sh", "-c", f'out=$("$0" run --name web --settle 0 -- "$1" pause); echo "$out"', hob.binary, actor],
                          env=hob.env, cwd=hob.home, capture_output=True, text=True, timeout=20)
    assert done.stdout.startswith("web: running")


def test_outlives_its_terminal(hob, actor, tmp):
    """Twenty times: run as leader of a terminal's session, which is hung up at once."""
    need_pty()
    for i in range(20):
        with hob.terminal("run", "--name", f"s{i}", "--settle", "0", "--", actor, "pause") as t:
            t.read_until(rb"running, pid \d+")
    for i in range(20):
        pid = hob.pid(f"s{i}")
        assert alive(pid)
        assert stat(pid).tty == 0
    for role in ("init_pid", "supervisor_pid", "logger_pid"):
        assert stat(hob.instance()[role]).tty == 0


def test_instance_outlives_its_terminal_without_a_tty_open(hob, actor):
    need_pty()
    with hob.terminal("run", "--name", "web", "--settle", "0", "--", actor, "pause") as t:
        t.read_until(rb"running, pid \d+")
        i = hob.instance()
        for role in ("init_pid", "supervisor_pid", "logger_pid"):
            assert not any(path.startswith("/dev/pts") or path.startswith("/dev/tty") for path in descriptors(i[role]).values()), role
            assert os.readlink(f"/proc/{i[role]}/cwd") == "/", role
            assert stat(i[role]).session != t.pid


def test_instance_processes_are_daemons(hob, actor):
    hob.up("web", actor, "pause")
    i = hob.instance()
    init = stat(i["init_pid"])
    assert init.tty == 0 and init.session in (init.pid, init.pgrp, init.session)
    fds = descriptors(i["init_pid"])
    assert all(fds[n] == "/dev/null" for n in (0, 1, 2) if n in fds)


def test_one_descriptor_a_service_at_most(hob, actor):
    """The logger has up to 256 files open for the moment, whatever the number of services: not looked at here but in bench."""
    hob.up("first", actor, "pause")
    i = hob.instance()
    before = {role: len(descriptors(i[role])) for role in ("init_pid", "supervisor_pid")}
    for n in range(40):
        hob.up(f"s{n}", actor, "print:x", "pause")
    after = {role: len(descriptors(i[role])) for role in before}
    for role in before:
        assert after[role] - before[role] <= 40 + 2, role


def test_nothing_wakes_up_when_idle(hob, actor):
    for n in range(5):
        hob.up(f"s{n}", actor, "print:x", "pause")
    i = hob.instance()
    pids = [i[role] for role in ("init_pid", "supervisor_pid", "logger_pid")]

    def switches():
        total = 0
        for pid in pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(status_field(f"{pid}/task/{task}", "voluntary_ctxt_switches"))
        return total

    def quiet():
        before = switches()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            time.sleep(0.1)
        return switches() == before
    wait_until(quiet, 15, "a second without a wake-up")


def test_environment_of_the_program(daemon):
    pid, hob = daemon
    e = environment(pid)
    assert e["INVOCATION_ID"] == hob.status("web")["run_id"]
    assert "TERM" not in e


def test_new_run_id_each_run(hob, actor):
    seen = set()
    for _ in range(3):
        hob.up("web", actor, "pause")
        seen.add(hob.status("web")["run_id"])
        hob.run("stop", "web", check=0)
    assert len(seen) == 3


def test_the_tree_back_end_is_told(make_hob, actor):
    hob = make_hob(env={"HOB_TREE": "scan"})
    hob.up("web", actor, "pause")
    assert hob.instance()["tree"] == "scan"
    other = make_hob()
    other.up("web", actor, "pause")
    assert other.instance()["tree"] in ("cgroup", "scan")
    if os.geteuid() == 0 and any(line.split()[2] == "cgroup2" for line in open("/proc/mounts")):
        assert other.instance()["tree"] == "cgroup", "root and a mounted cgroup2: also in a hybrid hierarchy"
        assert "0::/" in proc(other.pid("web"), "cgroup").decode() and "web" in proc(other.pid("web"), "cgroup").decode()


def test_cgroups_are_removed(hob, actor):
    pid = hob.up("web", actor, "pause")
    if hob.instance()["tree"] != "cgroup":
        pytest.skip("needs cgroup v2")
    where = [line.split(":", 2)[2] for line in proc(pid, "cgroup").decode().splitlines() if line.startswith("0::")][0]
    mount = next(line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2")
    path = mount + where
    assert os.path.isdir(path)
    hob.run("stop", "web", check=0)
    wait_until(lambda: not os.path.exists(path), what="its cgroup to go")
    hob.run("shutdown", check=0)
    wait_until(lambda: not os.path.exists(os.path.dirname(path)) or os.path.samefile(os.path.dirname(path), mount), what="the instance's cgroup to go")
