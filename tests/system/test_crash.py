"""The supervisor and the logger may be killed at any time: no service dies, none runs twice, no line
and no exit status is lost (issue section 2). The proof at every instruction is the simulation's;
here real processes are killed, under load, by chance."""
import os
import random
import signal
import time

import pytest

from hoblib import *
from test_logs import numbered

ROUNDS = 10  # from the third quick one on, init waits up to a second before it starts a successor


def kill_role(hob, role):
    """Kills the supervisor or the logger; returns when there is a new one."""
    i = hob.instance()
    pid = i[role]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (new := hob.instance()[role]) and new != pid, what=f"a new {role}")
    return i


def complete(name_log, most):
    """Is this log line 0 to some number, each once, in order?"""
    n = name_log.count(b"\n")
    assert name_log == numbered(0, n), "a line is missing, doubled or out of order"
    assert n <= most
    return n


@pytest.mark.parametrize("role", ["supervisor_pid", "logger_pid"])
def test_killed_again_and_again(any_hob, actor, tmp, marker, role):
    """Under load: same pid, one copy, the log complete and in order."""
    hob = any_hob
    pids = {}
    for i in range(3):
        pids[f"s{i}"] = hob.up(f"s{i}", actor, "#", marker, f"single:{tmp}/lock{i}:{tmp}/twice", "lines:0:500", options=["--log-size", "1G"])
    init = hob.instance()["init_pid"]
    for _ in range(ROUNDS):
        kill_role(hob, role)
    assert {name: hob.pid(name) for name in pids} == pids
    assert hob.instance()["init_pid"] == init
    assert all(s["n_restarts"] == 0 and s["state"] == "active" for s in hob.json("list"))
    assert sorted(marked(marker)) == sorted(pids.values())
    assert not (tmp / "twice").exists()
    before = {name: len(hob.log(name)) for name in pids}
    wait_until(lambda: all(len(hob.log(name)) > before[name] for name in pids), what="the logs to go on")
    for name in pids:
        complete(hob.log(name), 10 ** 9)


def log_size(hob, name):
    """Bytes in all files of a log; 0 while one of them is being renamed."""
    try:
        return sum(f.stat().st_size for f in hob.log_file(name).parent.glob("*.log"))
    except FileNotFoundError:
        return 0


def test_logger_killed_under_a_flood(hob, actor, tmp):
    """As fast as the writer goes, the logger dying all the while."""
    n = 1000000
    pid = hob.up("web", actor, f"lines:{n}:0", f"touch:{tmp}/done", "pause", options=["--log-size", "1G"])
    kills = 0
    while not (tmp / "done").exists():
        kill_role(hob, "logger_pid")
        kills += 1
    assert kills >= 2
    wait_until(lambda: log_size(hob, "web") >= n * 15, 30, "all bytes to be in the files")
    assert hob.log("web") == numbered(0, n)
    assert hob.pid("web") == pid


def test_both_killed_at_random(hob, actor, tmp):
    chance = random.Random(20261122)
    pid = hob.up("web", actor, f"single:{tmp}/lock:{tmp}/twice", "lines:0:1000", options=["--log-size", "1G"])
    for _ in range(ROUNDS):
        roles = chance.sample(["supervisor_pid", "logger_pid"], chance.choice((1, 2)))
        i = hob.instance()
        for role in roles:
            os.kill(i[role], signal.SIGKILL)
        wait_until(lambda: (n := hob.instance()) and all(n[r] not in (0, i[r]) for r in roles), what="new ones")
    assert hob.pid("web") == pid
    complete(hob.log("web"), 10 ** 9)
    assert not (tmp / "twice").exists()


def test_service_and_supervisor_die_together(hob, actor, tmp):
    """The exit is seen by the next supervisor: its status is told, one new copy runs."""
    for status in range(1, 7):
        hob.up("web", actor, f"single:{tmp}/lock:{tmp}/twice", f"await:{tmp}/go{status}", f"exit:{status}", options=["--restart", "no"])
        supervisor = hob.instance()["supervisor_pid"]
        (tmp / f"go{status}").touch()
        os.kill(supervisor, signal.SIGKILL)
        s = hob.wait_state("web", "failed")
        assert s["exit_code"] == status
    assert not (tmp / "twice").exists()


def test_restarts_go_on_over_crashes(hob, actor, tmp):
    hob.up("web", actor, f"single:{tmp}/lock:{tmp}/twice", f"append:{tmp}/starts", "pause", options=["--restart-delay", "0"])
    for n in range(1, 7):
        i = hob.instance()
        wait_until(lambda: len(lines_of(tmp / "starts")) == n)
        pid = wait_until(lambda: (s := hob.status("web"))["sub"] == "running" and s["main_pid"])
        for victim in (pid, i["supervisor_pid"]) if n % 2 else (i["supervisor_pid"], pid):
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: (s := hob.status("web"))["sub"] == "running" and s["main_pid"] != pid)
        wait_until(lambda: len(lines_of(tmp / "starts")) == n + 1)
    s = hob.status("web")
    assert s["n_restarts"] == 6
    assert not (tmp / "twice").exists()


def test_restart_delay_survives(hob, actor):
    hob.up("web", actor, "sleep:20", "exit:1", options=["--restart-delay", "60s"])
    hob.wait_state("web", "activating/auto-restart")
    before = hob.status("web")["restart_in_usec"]
    kill_role(hob, "supervisor_pid")
    s = hob.status("web")
    assert s["sub"] == "auto-restart" and 20e6 < s["restart_in_usec"] <= before + 5e6


def test_stop_survives(hob, actor, program, marker):
    """The supervisor is killed in the middle of a stop: the stop is carried through, the client is answered."""
    hob.up("web", program("stubborn"), marker, "ignore", "away", "clear", options=["--stop-timeout", "1s"])
    wait_until(lambda: hob.log("web") == b"ready\n")
    child = hob.popen("stop", "web")
    hob.wait_state("web", "deactivating")
    for _ in range(3):
        kill_role(hob, "supervisor_pid")
    child.communicate(timeout=30)
    assert child.returncode == 0
    assert marked(marker) == []
    assert hob.status("web")["wanted"] == "down"


def test_start_survives(hob, actor, tmp, marker):
    """A client that waits for readiness is answered by the next supervisor; the program is started once."""
    child = hob.popen("run", "--name", "web", "--ready", "notify", "--settle", "0", "--", actor, "#", marker,
                      f"append:{tmp}/starts", f"await:{tmp}/go", "notify:READY=1", "pause")
    wait_until(lambda: marked(marker))
    for _ in range(3):
        kill_role(hob, "supervisor_pid")
    (tmp / "go").touch()
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0 and "web: running, pid " in out, err
    assert lines_of(tmp / "starts") == [str(hob.pid("web"))]


def test_notify_sent_while_there_is_no_supervisor(hob, actor, tmp):
    """A message sent in the gap is heard by the next one."""
    for n in range(5):
        child = hob.popen("run", "--name", f"s{n}", "--ready", "notify", "--settle", "0", "--", actor,
                          f"await:{tmp}/go{n}", "notify:READY=1", "pause")
        wait_until(lambda: (hob.home / "run" / "control").exists() and hob.run("status", f"s{n}").returncode != NO_SUCH_UNIT)
        wait_until(lambda: hob.pid(f"s{n}"))
        supervisor = hob.instance()["supervisor_pid"]
        os.kill(supervisor, signal.SIGKILL)
        (tmp / f"go{n}").touch()
        child.communicate(timeout=30)
        assert child.returncode == 0


def test_ready_descriptor_survives(hob, actor, tmp):
    child = hob.popen("run", "--name", "web", "--ready", "fd:3", "--settle", "0", "--", actor, f"await:{tmp}/go", "fd:3:\\n", "pause")
    wait_until(lambda: (hob.home / "run" / "control").exists() and hob.run("status", "web").returncode != NO_SUCH_UNIT)
    wait_until(lambda: hob.pid("web"))
    kill_role(hob, "supervisor_pid")
    (tmp / "go").touch()
    child.communicate(timeout=30)
    assert child.returncode == 0


def test_many_starts_while_the_supervisor_dies(hob, actor, tmp, marker):
    """20 `hob run` at once while supervisors are killed: all are answered, each program started once."""
    hob.up("first", actor, "pause")
    children = [hob.popen("run", "--name", f"s{i}", "--settle", "0", "--", actor, "#", marker, f"append:{tmp}/starts", "pause") for i in range(20)]
    killed = set()
    while any(c.poll() is None for c in children):
        pid = hob.instance()["supervisor_pid"]
        if pid and pid not in killed and len(killed) < 8:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
    for c in children:
        out, err = c.communicate(timeout=30)
        assert c.returncode == 0, err
    wait_until(lambda: len(lines_of(tmp / "starts")) == 20)
    assert len(marked(marker)) == 20 and len(lines_of(tmp / "starts")) == 20
    assert len(hob.json("list")) == 21


def test_the_client_sees_no_gap(hob, actor):
    """`status` right after the kill is answered."""
    hob.up("web", actor, "pause")
    for _ in range(6):
        os.kill(hob.instance()["supervisor_pid"], signal.SIGKILL)
        hob.run("status", "web", check=0)


def test_what_was_known_is_known_still(hob, actor):
    hob.up("bad", actor, "print:its log", "sleep:30", "exit:9", options=["--restart", "no"])
    hob.wait_state("bad", "failed")
    hob.up("down", actor, "pause")
    hob.run("stop", "down", check=0)
    before = {s["name"]: s for s in hob.json("list")}
    cat = hob.run("cat", "bad").stdout
    kill_role(hob, "supervisor_pid")
    after = {s["name"]: s for s in hob.json("list")}
    for s in (*before.values(), *after.values()):
        s.pop("memory_bytes")
    assert after == before
    assert hob.run("cat", "bad").stdout == cat
    why = hob.run("why", "bad").stdout
    assert "9" in why and "its log" in why


def test_a_new_logger_keeps_to_the_limits(hob, actor, tmp):
    """Also before the supervisor has told it: LogSize= above the default is no reason to rotate."""
    pid = hob.up("web", actor, "lines:800000:0", f"touch:{tmp}/1", f"await:{tmp}/go", "lines:100000:0", f"touch:{tmp}/2", "pause", options=["--log-size", "1G"])
    wait_until(lambda: log_size(hob, "web") == 800000 * 15, 30)
    i = hob.instance()
    for role in ("supervisor_pid", "logger_pid"):
        os.kill(i[role], signal.SIGSTOP if role == "supervisor_pid" else signal.SIGKILL)
    (tmp / "go").touch()
    wait_until(lambda: log_size(hob, "web") == 900000 * 15, 30)
    os.kill(i["supervisor_pid"], signal.SIGCONT)
    assert [f.name for f in hob.log_file("web").parent.glob("*.log")] == ["current.log"]
    assert hob.pid("web") == pid


def test_forgotten_stays_forgotten(hob, actor):
    hob.up("web", actor, "pause")
    hob.up("other", actor, "pause")
    hob.run("stop", "web", check=0)
    hob.run("forget", "web", check=0)
    kill_role(hob, "supervisor_pid")
    assert [s["name"] for s in hob.json("list")] == ["other"]


def test_services_are_found_when_the_records_are_garbage(hob, actor):
    """They are adopted by name and run id: nothing dies, nothing runs twice."""
    pids = {f"s{i}": hob.up(f"s{i}", actor, "pause") for i in range(3)}
    supervisor = hob.instance()["supervisor_pid"]
    records = hob.home / "run" / "records"
    os.kill(supervisor, signal.SIGSTOP)
    size = records.stat().st_size
    with open(records, "r+b") as f:
        f.seek(0)
        f.write(os.urandom(size))
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: hob.instance()["supervisor_pid"] not in (0, supervisor), what="a new supervisor")
    assert all(map(alive, pids.values()))
    wait_until(lambda: {s["name"]: s["main_pid"] for s in hob.json("list")} == pids, what="the services to be adopted")
    hob.run("stop", *pids, check=0)
    assert not any(map(alive, pids.values()))


def test_shutdown_goes_on_after_a_crash(hob, actor):
    """The wish is recorded before anything is done: nothing but the record file carries it here."""
    hob.up("web", actor, "pause")
    hob.run("stop", "web", check=0)
    hob.run("forget", "web", check=0)
    i = hob.instance()
    os.kill(i["logger_pid"], signal.SIGSTOP)
    asking = hob.popen("shutdown")
    wait_until(lambda: shutdown_word(hob) == 1, what="the wish to be recorded")
    os.kill(i["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: gone(i["init_pid"]), what="the instance to end")
    asking.communicate(timeout=20)


def shutdown_word(hob):
    """STORE_SHUTDOWN of the record file's header (os/store.h)."""
    data = (hob.home / "run" / "records").read_bytes()
    return int.from_bytes(data[32 + 4 * 8:32 + 5 * 8], "little")


def test_after_the_death_of_init_a_start_takes_over(hob, actor):
    """The services live on; the lock is free as soon as the logger has delivered what it had."""
    pid = hob.up("web", actor, "pause")
    i = hob.instance()
    os.kill(i["init_pid"], signal.SIGKILL)
    wait_until(lambda: gone(i["supervisor_pid"]) and gone(i["logger_pid"]), what="the others to go")
    assert alive(pid)
    hob.run("start", "web", check=0)
    assert hob.pid("web") == pid
    hob.run("stop", "web", check=0)
    wait_until(lambda: gone(pid))


def test_last_words_stand_before_the_first_of_the_next_run(hob, actor, tmp):
    """Both runs wait in their FIFOs when a new logger comes: it takes the older one in first."""
    hob.up("web", actor, "print:begin", f"await:{tmp}/go", "print:end", f"touch:{tmp}/done", "pause", options=["--restart", "always", "--restart-delay", "0"])
    wait_until(lambda: hob.log("web") == b"begin\n")
    for n in range(1, 6):
        i = hob.instance()
        os.kill(i["logger_pid"], signal.SIGSTOP)
        (tmp / "go").touch()
        wait_until(lambda: (tmp / "done").exists())
        (tmp / "go").unlink()
        (tmp / "done").unlink()
        old = hob.pid("web")
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: hob.pid("web") not in (0, None, old))
        os.kill(i["logger_pid"], signal.SIGKILL)
        wait_until(lambda: hob.log("web") == b"begin\nend\n" * n + b"begin\n")
