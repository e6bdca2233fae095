"""An unprivileged user's instance, and one inside a PID namespace (issue section 2)."""
import os
import pwd
import signal
import subprocess

import pytest

from hoblib import *


@pytest.fixture
def user_hob(make_hob):
    need_root()
    return make_hob(user=NOBODY)


def test_run_and_stop(user_hob, actor):
    hob = user_hob
    pid = hob.up("web", actor, "print:hello", "pause")
    assert status_field(pid, "Uid").split() == [str(NOBODY)] * 4
    wait_until(lambda: hob.log("web") == b"hello\n")
    s = hob.status("web")
    assert s["state"] == "active" and s["memory_bytes"] > 0
    hob.run("stop", "web", check=0)
    assert gone(pid)


def test_whole_tree(user_hob, program, marker):
    hob = user_hob
    hob.up("web", program("stubborn"), marker, "ignore", "group", "away", "clear", "hop", "late", options=["--stop-timeout", "300ms"])
    wait_until(lambda: hob.log("web") == b"ready\n")
    hob.run("stop", "web", check=0)
    assert marked(marker) == []


def test_crashes(user_hob, actor, tmp):
    hob = user_hob
    pid = hob.up("web", actor, "lines:0:200")
    for role in ("supervisor_pid", "logger_pid") * 3:
        old = hob.instance()[role]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: hob.instance()[role] not in (0, old))
    assert hob.pid("web") == pid
    log = hob.log("web")
    assert log == b"".join(b"line %09d\n" % i for i in range(log.count(b"\n")))


def test_notify_and_restart(user_hob, actor):
    hob = user_hob
    pid = hob.up("web", actor, "notify:READY=1", "pause", options=["--ready", "notify", "--restart-delay", "0"])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (s := hob.status("web"))["n_restarts"] == 1 and s["sub"] == "running")


def test_directories_are_closed_to_others(user_hob, actor):
    hob = user_hob
    hob.up("web", actor, "pause")
    assert os.stat(hob.home / "run").st_mode & 0o077 == 0
    assert os.stat(hob.home / "run").st_uid == NOBODY


def test_other_user_is_not_permitted(user_hob, actor):
    result = user_hob.run("run", "--user", "root", "--settle", "100ms", "--", actor, "pause")
    assert result.returncode in (FAILED, NOT_PERMITTED) and result.stderr


def test_limits_are_clamped_not_refused(user_hob, actor):
    """Limits are set to the closest that is allowed, and a refused OOM score is a note, whoever runs hob."""
    hob = user_hob
    hard = limit("self", "Max open files")[1]
    pid = hob.up("web", actor, "pause", options=["--limit", "nofile=99999999", "--oom-score", "-500"])
    assert limit(pid, "Max open files")[1] == hard
    assert int(proc(pid, "oom_score_adj")) >= int(proc("self", "oom_score_adj"))


def test_both_at_once(user_hob, make_hob, actor):
    """root's and a user's services of the same name do not meet."""
    root = make_hob()
    a, b = root.up("web", actor, "pause"), user_hob.up("web", actor, "pause")
    root.run("stop", "web", check=0)
    assert gone(a) and alive(b)


def test_home_from_the_password_entry(make_hob, actor, tmp):
    """Without HOB_HOME a user's instance is found from the password entry, whatever HOME says."""
    need_root()
    hob = make_hob(user=NOBODY)
    entry = pwd.getpwuid(NOBODY)
    if os.path.isdir(entry.pw_dir) and os.access(entry.pw_dir, os.W_OK):
        pytest.skip(f"the home directory {entry.pw_dir} of {entry.pw_name} exists: it is not ours to write to")
    del hob.env["HOB_HOME"]
    result = hob.run("run", "--settle", "0", "--", actor, "pause", env={"HOME": str(hob.home)})
    assert result.returncode != 0
    assert "HOB_HOME" in result.stderr, "it says what to set"
    assert not (hob.home / ".local").exists()


def namespace():
    """The command that puts hob into a PID namespace of its own."""
    need_root()
    words = [need_program("unshare"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    probe = subprocess.run([*words, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"needs unshare --pid --mount-proc: {probe.stderr.strip()}")
    return words


def test_inside_a_pid_namespace(make_hob, program, actor, marker):
    """PID 1 is a shell there; the whole way: run, kill, stop, shutdown. The namespace ends with the script."""
    words = namespace()
    hob = make_hob()
    script = f"""
        set -e
        hob() {{ {hob.binary} "$@"; }}
        hob run --name web --settle 0 --restart-delay 0 -- {actor} print:hello pause
        pid=$(hob status -o json web | sed -n 's/.*"main_pid": *\\([0-9]*\\).*/\\1/p')
        test "$(cat /proc/$pid/comm)" = actor
        kill -9 $pid
        until hob status -o json web | grep -q '"n_restarts": *1'; do :; done
        kill -9 $(hob status -o json | sed -n 's/.*"supervisor_pid": *\\([0-9]*\\).*/\\1/p')
        hob status web > /dev/null
        hob run --name tree --settle 0 --stop-timeout 200ms -- {program("stubborn")} {marker} ignore away clear
        until hob logs --raw --no-events tree | grep -q ready; do :; done
        hob stop web tree
        for p in /proc/[0-9]*; do case "$(readlink $p/exe)" in *stubborn|*actor) echo "left: $p"; exit 1;; esac; done
        hob shutdown
        echo all well
    """
    done = subprocess.run([*words, "sh", "-c", script], env=hob.env, cwd=hob.home, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("all well\n"), done.stdout + done.stderr
