"""Logs, first form (issue section 6)."""
import contextlib
import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from hoblib import *

LINE = 15  # bytes of "line 000000000\n"


def numbered(first, last):
    return b"".join(b"line %09d\n" % i for i in range(first, last))


def wait_log(hob, name, wanted, timeout=20):
    wait_until(lambda: hob.log(name) == wanted, timeout, f"the log of {name}", interval=0.02)


def events(hob):
    path = hob.home / "log" / "events.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def test_stdout_and_stderr(hob, actor):
    hob.up("web", actor, "print:out", "error:err", "print:out again", "pause")
    wait_log(hob, "web", b"out\nerr\nout again\n")
    assert hob.log_file("web").read_bytes() == b"out\nerr\nout again\n"


@pytest.mark.parametrize("text, wanted", [
    ("no newline at the end", b"no newline at the end"),
    ("nul \\0 byte\\n", b"nul \0 byte\n"),
    ("bad utf-8 \\xff\\xc3(\\n", b"bad utf-8 \xff\xc3(\n"),
    ("\\x1b[31mred\\x1b[0m \\x07\\x9b\\n", b"\x1b[31mred\x1b[0m \x07\x9b\n"),
    ("\\n\\n\\n", b"\n\n\n"),
    ("cr\\x0d\\n", b"cr\r\n"),
], ids=["no newline", "NUL", "invalid UTF-8", "escapes", "empty lines", "CR"])
def test_bytes_are_untouched(hob, actor, text, wanted):
    hob.up("web", actor, f"write:{text}", "pause")
    wait_log(hob, "web", wanted)
    assert hob.log_file("web").read_bytes() == wanted


def test_a_line_of_any_length(hob):
    hob.up("web", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 1000")
    wait_log(hob, "web", b"x" * 3000000 + b"\nend\n")
    shown = hob.run("logs", "--no-events", "-n", "1", "web", check=0).stdout
    assert shown.endswith("web: end\n")


def test_made_harmless_when_rendered(hob, actor):
    hob.up("web", actor, "write:\\x1b]0;title\\x07 \\x9b31m \\xff\\0 end\\n", "pause")
    wait_until(lambda: hob.log("web"))
    need_pty()
    with hob.terminal("logs", "--no-events", "web", env={"NO_COLOR": "1"}) as t:
        t.wait()
        assert b"end" in t.output
        assert not re.search(rb"[\x1b\x07\x00]", t.output) and b"\x9b" not in t.output


def test_rendering(hob, actor):
    hob.up("web", actor, "print:hello world", "pause")
    wait_log(hob, "web", b"hello world\n")
    line = hob.run("logs", "--no-events", "web", check=0).stdout
    assert re.fullmatch(r"\S.*\d\d:\d\d:\d\d\S* web: hello world\n", line), line


def test_raw_with_several_runs(hob, actor, tmp):
    hob.up("web", actor, "print:first", "pause")
    wait_log(hob, "web", b"first\n")
    hob.run("restart", "web", check=0)
    wait_log(hob, "web", b"first\nfirst\n")


def test_last_words(hob, actor):
    """What a program writes right before it ends is there, also without a newline."""
    for i in range(5):
        hob.run("run", "--name", f"s{i}", "--settle", "0", "--restart", "no", "--", actor, "sleep:30", "write:last words", "exit:1")
    for i in range(5):
        hob.wait_state(f"s{i}", "failed")
        assert hob.log(f"s{i}") == b"last words"


def test_last_lines(hob, actor):
    hob.up("web", actor, "lines:5000:0", "pause")
    wait_log(hob, "web", numbered(0, 5000))
    out = hob.run("logs", "--no-events", "-n", "3", "web", check=0).stdout.splitlines()
    assert [line.split("web: ")[1] for line in out] == ["line 000004997", "line 000004998", "line 000004999"]
    assert hob.raw("logs", "--raw", "--no-events", "-n", "2", "web") == numbered(4998, 5000)
    assert hob.run("logs", "--no-events", "-n", "0", "web", check=0).stdout == ""


def test_rotation(hob, actor):
    n = 20000
    hob.up("web", actor, f"lines:{n}:0", "pause", options=["--log-size", "64K", "--log-keep", "1000"])
    wait_until(lambda: hob.log("web").endswith(numbered(n - 1, n)), 30)
    assert hob.log("web") == numbered(0, n), "read across rotated files, every line once"
    rotated = sorted(f for f in hob.log_file("web").parent.iterdir() if f.suffix == ".log" and f.name != "current.log")
    assert len(rotated) >= n * LINE // (128 << 10) - 1
    for f in rotated:
        assert f.read_bytes().endswith(b"\n"), "cut at a line's end"
        assert f.stat().st_size <= (128 << 10), "size + 64 KiB at most"
        assert f.with_suffix(".idx").exists()


def test_rotation_keeps_so_many(hob, actor):
    hob.up("web", actor, "lines:40000:0", "pause", options=["--log-size", "32K", "--log-keep", "2"])
    wait_until(lambda: hob.log("web").endswith(numbered(39999, 40000)), 30)
    def few():
        return len([f for f in hob.log_file("web").parent.iterdir() if f.suffix == ".log"]) <= 3
    wait_until(few, what="only two rotated files to be kept")
    kept = hob.log("web")
    assert kept == numbered(40000 - len(kept) // LINE, 40000)


def test_rotation_defaults(hob, actor):
    hob.up("web", actor, "pause")
    shown = hob.run("show", "web", "LogSize", "LogKeep", check=0).stdout
    assert re.search(r"^LogSize=(10M|10485760)$", shown, re.M) and re.search(r"^LogKeep=5$", shown, re.M)


@contextlib.contextmanager
def following(hob, *args, **kw):
    """`hob logs -f`, ended afterwards in any case."""
    child = hob.popen("logs", "-f", "--no-events", *args, **kw)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_follow(hob, actor, tmp):
    hob.up("web", actor, "print:before", f"await:{tmp}/go", "print:after", "pause")
    wait_log(hob, "web", b"before\n")
    with following(hob, "web") as child:
        assert child.stdout.readline().endswith("web: before\n")
        (tmp / "go").touch()
        assert child.stdout.readline().endswith("web: after\n")
        child.send_signal(signal.SIGINT)
        wait_until(lambda: child.poll() is not None, what="logs -f to end on SIGINT")


def test_follow_over_rotation(hob, actor, tmp):
    n = 8000
    hob.up("web", actor, "print:first", f"await:{tmp}/go", f"lines:{n}:0", "print:end", "pause", options=["--log-size", "32K", "--log-keep", "1000"])
    wait_log(hob, "web", b"first\n")
    with following(hob, "--raw", "web", text=False, errors=None) as child:
        got = os.read(child.stdout.fileno(), 65536)
        assert got == b"first\n"
        (tmp / "go").touch()
        while not got.endswith(b"end\n"):
            data = os.read(child.stdout.fileno(), 65536)
            assert data, "logs -f ended"
            got += data
    lines = got.splitlines(keepends=True)[1:]
    wrong = [(i, line) for i, line in enumerate(lines[:n]) if line != b"line %09d\n" % i][:5]
    assert not wrong and len(lines) == n + 1, f"{len(lines)} lines, the first wrong ones: {wrong}"


def test_since_and_until(hob, actor, tmp):
    hob.up("web", actor, "print:old", f"await:{tmp}/go", "print:new", "pause")
    wait_log(hob, "web", b"old\n")
    middle = time.time()
    wait_until(lambda: time.time() - middle > 0.4)
    (tmp / "go").touch()
    wait_log(hob, "web", b"old\nnew\n")
    at = datetime.datetime.fromtimestamp(middle + 0.2).strftime("%Y-%m-%d %H:%M:%S.%f")
    def texts(*args):
        return [line.split("web: ")[1] for line in hob.run("logs", "--no-events", *args, "web", check=0).stdout.splitlines()]
    assert texts("--since", at) == ["new"]
    assert texts("--until", at) == ["old"]
    assert texts("--since", "-1h") == ["old", "new"], "relative: the last hour"
    assert texts("--until", "-1h") == []
    assert texts("--since", "yesterday", "--until", at) == ["old"]


def test_since_in_a_long_log(hob, actor, tmp):
    hob.up("web", actor, "lines:200000:0", f"await:{tmp}/go", "print:new", "pause")
    wait_until(lambda: hob.log("web").endswith(numbered(199999, 200000)), 30)
    after = time.time()
    wait_until(lambda: time.time() - after > 0.3)
    (tmp / "go").touch()
    wait_until(lambda: hob.log("web").endswith(b"new\n"))
    at = datetime.datetime.fromtimestamp(after + 0.15).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert hob.run("logs", "--no-events", "--since", at, "web").stdout.endswith("web: new\n")
    assert hob.run("logs", "--no-events", "--since", at, "web").stdout.count("\n") == 1


@pytest.mark.parametrize("value", ["yesterdayish", "25:99", "", "-"])
def test_bad_time(hob, actor, value):
    hob.up("web", actor, "pause")
    hob.run("logs", "--since", value, "web", check=USAGE)


def test_several_units_merged_by_time(hob, actor, tmp):
    hob.up("a", actor, f"await:{tmp}/1", "print:one", f"await:{tmp}/3", "print:three", "pause")
    hob.up("b", actor, f"await:{tmp}/2", "print:two", "pause")
    for i, name in (("1", "a"), ("2", "b"), ("3", "a")):
        before = len(hob.log(name))
        (tmp / i).touch()
        wait_until(lambda: len(hob.log(name)) > before)
        now = time.time()
        wait_until(lambda: time.time() > now + 0.15)  # the index's times are a batch apart
    out = hob.run("logs", "--no-events", "a", "b", check=0).stdout.splitlines()
    assert [re.split(r" (?=[ab]: )", line)[1] for line in out] == ["a: one", "b: two", "a: three"]


def test_events_stand_in_between(hob, actor):
    hob.up("web", actor, "print:hello", "sleep:100", "exit:3", options=["--restart", "no"])
    hob.wait_state("web", "failed")
    wait_until(lambda: any(e["event"] == "exited" for e in events(hob)))
    out = hob.run("logs", "web", check=0).stdout.splitlines()
    hello = next(i for i, line in enumerate(out) if line.endswith("web: hello"))
    assert hello > 0 and hello < len(out) - 1, "started before, exited after"
    assert any("3" in line and "exit" in line for line in out[hello + 1:]), out
    assert len(hob.run("logs", "--no-events", "web").stdout.splitlines()) == 1


def test_events_file(hob, actor):
    hob.up("web", actor, "sleep:30", "exit:3", options=["--restart-delay", "0"])
    wait_until(lambda: hob.status("web")["n_restarts"] >= 2)
    hob.run("stop", "web", check=0)
    wait_until(lambda: sum(e["event"] == "exited" for e in events(hob)) >= 2)
    all_events = events(hob)
    assert all(e["unit"] in ("web.service", None, "") for e in all_events if "unit" in e)
    numbers = [e["seq"] for e in all_events]
    assert numbers == sorted(numbers)
    assert abs(all_events[0]["time"] / 1e6 - time.time()) < 120


def test_log_without_its_index(hob, actor):
    hob.up("web", actor, "lines:100:0", "pause")
    wait_log(hob, "web", numbered(0, 100))
    hob.run("stop", "web", check=0)
    index = hob.log_file("web").with_suffix(".idx")
    index.unlink()
    assert hob.log("web") == numbered(0, 100)
    assert len(hob.run("logs", "--no-events", "web", check=0).stdout.splitlines()) == 100


@pytest.mark.parametrize("size", [0, 1, 20, 45])
def test_index_cut_short(hob, actor, size):
    hob.up("web", actor, "lines:100:0", "pause")
    wait_log(hob, "web", numbered(0, 100))
    hob.run("shutdown", check=0)
    os.truncate(hob.log_file("web").with_suffix(".idx"), size)
    assert len(hob.run("logs", "--no-events", "web", check=0).stdout.splitlines()) == 100
    hob.up("web", actor, "lines:100:0", "pause")
    wait_log(hob, "web", numbered(0, 100) * 2)


def test_logs_stay_after_a_shutdown(hob, actor):
    hob.up("web", actor, "print:hello", "pause")
    wait_log(hob, "web", b"hello\n")
    hob.run("shutdown", check=0)
    assert hob.log("web") == b"hello\n"
    assert "hello" in hob.run("logs", "web", check=0).stdout


def test_logs_of_an_unknown_unit(hob, actor):
    assert "nothing" in hob.run("logs", "nothing", check=NO_SUCH_UNIT).stderr


def test_no_one_holds_up_the_service(hob, actor, tmp):
    """10 MB as fast as it goes, no line lost."""
    n = 700000
    hob.up("web", actor, f"lines:{n}:0", f"touch:{tmp}/done", "pause", options=["--log-size", "1G"])
    wait_until(lambda: (tmp / "done").exists(), 60)
    wait_until(lambda: hob.log_file("web").stat().st_size == n * LINE, 30)
    assert hob.log_file("web").read_bytes() == numbered(0, n)


def test_closed_output_of_logs(hob, actor):
    """`hob logs | head -1` ends quietly."""
    hob.up("web", actor, "lines:20000:0", "pause")
    wait_until(lambda: hob.log("web").endswith(numbered(19999, 20000)))
    done = subprocess.run(["sh", "-c", f"{hob.binary} logs --no-events web | head -1"], env=hob.env, capture_output=True, text=True, timeout=20)
    assert done.stdout.endswith("web: line 000000000\n") and done.stderr == ""


def test_worker_of_another_user_can_reopen_stderr(hob):
    need_root()
    hob.up("web", "sh", "-c", "setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'echo worker > /dev/stderr'; exec sleep 1000")
    wait_log(hob, "web", b"worker\n")


def test_full_disk(hob, actor, tmp, request):
    """The service goes on; bytes are dropped and counted, and the count is in the events when there is room again."""
    need_root()
    log = hob.home / "log"
    log.mkdir(parents=True, exist_ok=True)
    hob.up("web", actor, "print:x", "pause")
    wait_log(hob, "web", b"x\n")
    hob.run("stop", "web", check=0)
    directory = log / "full"
    directory.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory], capture_output=True).returncode:
        pytest.skip("needs to mount a tmpfs")
    request.addfinalizer(lambda: subprocess.run(["umount", "-l", directory], check=False))
    hob.up("full", actor, "lines:100000:0", f"touch:{tmp}/done", "print:the end", f"await:{tmp}/go", "print:room again", "pause")
    wait_until(lambda: (tmp / "done").exists(), 60, "the service to get on with a full disk")
    for f in directory.glob("*.log"):
        os.truncate(f, 0)
    subprocess.run(["mount", "-o", "remount,size=64m", directory], check=True)
    (tmp / "go").touch()
    wait_until(lambda: any("drop" in json.dumps(e) and e.get("unit", "").startswith("full") for e in events(hob)), 30, "the count in the events")
    wait_until(lambda: b"room again" in hob.log("full"), 30)
    hob.run("stop", "full")
