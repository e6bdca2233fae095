"""The notify protocol (issue section 3, UNITS.md 6.9), by a program that speaks it."""
import os
import signal
import socket
import time

import pytest

from hoblib import *

NOTIFY = ["--ready", "notify"]


def test_status_text(hob, actor):
    hob.up("web", actor, "notify:READY=1\\nSTATUS=serving 42 clients", "pause", options=NOTIFY)
    wait_until(lambda: "serving 42 clients" in hob.run("status", "web").stdout)
    assert hob.status("web")["status_text"] == "serving 42 clients"


def test_status_text_is_made_harmless(hob, actor):
    hob.up("web", actor, "notify:READY=1\\nSTATUS=\\x1b[31mred\\x07", "pause", options=NOTIFY)
    wait_until(lambda: "red" in hob.run("status", "web").stdout)
    assert "\x1b" not in hob.run("status", "web").stdout


def test_main_pid(hob, actor, tmp):
    """The first process hands over to a child and ends: the service lives on under the child's pid."""
    hob.up("web", actor, f"append:{tmp}/pids", "notify:READY=1", "hand-over", f"append:{tmp}/pids", "pause", options=NOTIFY)
    wait_until(lambda: (tmp / "pids").exists() and (tmp / "pids").read_text().count("\n") == 2)
    first, second = (int(p) for p in (tmp / "pids").read_text().split())
    wait_until(lambda: gone(first))
    s = wait_until(lambda: (s := hob.status("web"))["main_pid"] == second and s)
    assert s["state"] == "active" and alive(second)
    os.kill(second, signal.SIGKILL)
    hob.wait_state("web", "activating", "failed", "active")
    wait_until(lambda: hob.status("web")["n_restarts"] >= 1, what="the watched main process's end to count")


def test_main_pid_of_a_stranger_is_refused(hob, actor):
    stranger = hob.up("other", actor, "pause")
    pid = hob.up("web", actor, f"notify:READY=1\\nMAINPID={stranger}", "print:sent", "pause", options=NOTIFY)
    wait_until(lambda: hob.log("web") == b"sent\n")
    assert hob.pid("web") == pid


def test_a_stranger_is_not_heard(hob, actor, tmp):
    """Messages count from the service's own tree only."""
    child = hob.popen("run", "--name", "web", *NOTIFY, "--settle", "0", "--", actor, f"await:{tmp}/go", "notify:READY=1", "pause")
    wait_until(lambda: (hob.home / "run" / "control").exists() and hob.run("status", "web").returncode != NO_SUCH_UNIT)
    pid = wait_until(lambda: hob.pid("web"))
    wait_until(lambda: "NOTIFY_SOCKET" in environment(pid))
    path = environment(pid)["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"READY=1", path)
    stays_true(lambda: hob.status("web")["state"] == "activating", 0.2)
    (tmp / "go").touch()
    child.communicate(timeout=20)
    assert child.returncode == 0


def test_garbage_on_the_notify_socket(hob, actor):
    pid = hob.up("web", actor, "notify:READY=1", "pause", options=NOTIFY)
    path = environment(pid)["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for data in (b"", b"\0" * 100, b"=", b"READY", os.urandom(3000), b"MAINPID=-1", b"MAINPID=99999999999999999999", b"X" * 60000):
            s.sendto(data, path)
    assert hob.pid("web") == pid and hob.state("web") == "active/running"


@pytest.mark.parametrize("text", ["MAINPID=0", "MAINPID=-5", "MAINPID=abc", "EXTEND_TIMEOUT_USEC=x", "WATCHDOG_USEC=", "ERRNO=many", "=", "\\n\\n"])
def test_garbage_from_the_service_itself(hob, actor, text):
    pid = hob.up("web", actor, f"notify:{text}", "notify:READY=1", "pause", options=NOTIFY)
    assert hob.pid("web") == pid and hob.state("web") == "active/running"


def test_extend_timeout(hob, actor):
    """Ready after twice the time-out, which was extended on the way."""
    hob.up("web", actor, "notify:EXTEND_TIMEOUT_USEC=5000000", "sleep:900", "notify:READY=1", "pause", options=[*NOTIFY, "--timeout", "400ms"])
    assert hob.state("web") == "active/running"


def test_extend_timeout_runs_out(hob, actor):
    start = time.monotonic()
    hob.run("run", "--name", "web", *NOTIFY, "--timeout", "200ms", "--", actor, "notify:EXTEND_TIMEOUT_USEC=700000", "pause", check=TIMED_OUT)
    assert time.monotonic() - start >= 0.65
    assert hob.status("web")["result"] == "timeout"


def test_watchdog_silence(hob, actor):
    hob.up("web", actor, "notify:READY=1", "watchdog:50:3", "pause", options=[*NOTIFY, "-p", "WatchdogSec=400ms", "--restart", "no", "--limit", "core=0"])
    assert hob.wait_state("web", "failed")["result"] == "watchdog"


def test_watchdog_kept_happy(hob, actor):
    pid = hob.up("web", actor, "notify:READY=1", "watchdog:40:0", options=[*NOTIFY, "-p", "WatchdogSec=500ms"])
    assert environment(pid)["WATCHDOG_USEC"] == "500000"
    stays_true(lambda: hob.pid("web") == pid, 1.2)


def test_watchdog_trigger(hob, actor):
    hob.up("web", actor, "notify:READY=1", "sleep:50", "notify:WATCHDOG=trigger", "pause",
           options=[*NOTIFY, "-p", "WatchdogSec=60s", "--restart", "no", "--limit", "core=0"])
    assert hob.wait_state("web", "failed")["result"] == "watchdog"


def test_stopping(hob, actor, tmp):
    hob.up("web", actor, "notify:READY=1", "sleep:30", "notify:STOPPING=1", f"await:{tmp}/go", "exit:0", options=NOTIFY)
    hob.wait_state("web", "deactivating")
    (tmp / "go").touch()
    hob.wait_state("web", "inactive")


def test_reloading(hob, actor, tmp):
    hob.up("web", actor, "notify:READY=1", f"await:{tmp}/go", "notify:RELOADING=1", f"await:{tmp}/on", "notify:READY=1", "pause", options=NOTIFY)
    (tmp / "go").touch()
    hob.wait_state("web", "reloading")
    (tmp / "on").touch()
    hob.wait_state("web", "active/running")


def test_errno(hob, actor):
    result = hob.run("run", "--name", "web", *NOTIFY, "--", actor, "notify:ERRNO=98", "sleep:30", "exit:1", check=FAILED)
    assert "Address already in use" in result.stderr + hob.run("why", "web").stdout


def test_notify_access_main(hob, actor):
    """By default only the main process is heard; `all` hears the tree."""
    hob.up("all", actor, "child-notify:READY=1", "pause", options=[*NOTIFY, "-p", "NotifyAccess=all", "--timeout", "10s"])
    hob.run("run", "--name", "main", *NOTIFY, "--timeout", "400ms", "-p", "NotifyAccess=main", "--", actor, "child-notify:READY=1", "pause", check=TIMED_OUT)


def test_ready_from_a_process_that_is_gone_by_then(hob, actor):
    """The sender has ended before hob looks: messages are taken before exits."""
    hob.run("run", "--name", "web", *NOTIFY, "--", actor, "notify:READY=1", "exit:0", check=0)


def test_the_variables_of_the_protocol(hob, actor):
    pid = hob.up("web", actor, "notify:READY=1", "pause", options=NOTIFY)
    assert environment(pid)["NOTIFY_SOCKET"] == str(hob.home / "run" / "notify")
    assert "WATCHDOG_USEC" not in environment(pid)
