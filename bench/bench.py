#!/usr/bin/env python3
"""make bench: what hob costs, each row against its floor, measured alternately in one run.

usage: bench.py [--quick] [--rows NAME,...] [--list] [--json FILE] [--build DIR] [--secs N]

The floors are small static C programs beside this file: what the same thing costs when nothing but
the system calls it needs are made. A row prints hob's median and p99, the floor's, the ratio and
the budget (DESIGN section 7). Where many services are started or stopped at once the calls go down
one connection to the control socket, all before the first reply is read: that measures hob, not a
thousand clients; the row of a single `hob run` measures the client too.

Instances live on a tmpfs, as root's does in /run; in the rows of the log they live on the disk that
holds TMPDIR, as /var/log does, and so does the floor's file.
"""
import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import platform
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
MESSAGE = struct.Struct("=QII")
S = "hob.Supervisor."


# Small things.

def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else float("nan")


def proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except OSError:
        return b""


def wait_until(condition, timeout, what):
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(0.0005)
    return value


def tmpfs():
    """A directory for instances; None (TMPDIR) where there is no tmpfs to be had."""
    for line in open("/proc/mounts"):
        _, where, kind = line.split()[:3]
        if kind == "tmpfs" and where in ("/run", "/dev/shm", "/tmp") and os.access(where, os.W_OK):
            return where
    return None


class Fifo:
    """Where the measured programs announce themselves: (ns, pid, id) each."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = str(path)
        self.fd = os.open(path, os.O_RDWR)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.fd, 1031, 1 << 20)  # F_SETPIPE_SZ

    def get(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            raise TimeoutError("no program announced itself")
        return MESSAGE.unpack(os.read(self.fd, MESSAGE.size))

    def get_n(self, n, timeout=120):
        end = time.monotonic() + timeout
        return [self.get(max(0, end - time.monotonic())) for _ in range(n)]


class Hob:
    def __init__(self, build, home):
        self.binary, self.home = build / "hob", home
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "HOB_HOME": str(home)}

    def run(self, *args, check=True):
        done = subprocess.run([str(self.binary), *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and done.returncode:
            raise RuntimeError(f"hob {' '.join(map(str, args))}: {done.returncode}: {done.stderr or done.stdout}")
        return done

    def instance(self):
        return json.loads(self.run("status", "-o", "json").stdout)

    def pids(self):
        i = self.instance()
        return {role: i[f"{role}_pid"] for role in ("init", "supervisor", "logger")}

    def wire(self):
        return Wire(self.home / "run" / "control")

    def shutdown(self):
        if (self.home / "run" / "control").exists():
            self.run("shutdown", check=False)


class Wire:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.buffer = b""

    def pipeline(self, method, parameters):
        """All calls out, then all replies in; sends as the other side reads."""
        out = b"".join(json.dumps({"method": S + method, "parameters": p}).encode() + b"\0" for p in parameters)
        replies, sent = [], 0
        while len(replies) < len(parameters):
            readable, writable, _ = select.select([self.socket], [self.socket] if sent < len(out) else [], [])
            if writable:
                sent += self.socket.send(out[sent:sent + 65536])
            if readable:
                data = self.socket.recv(1 << 20)
                if not data:
                    raise RuntimeError("the supervisor closed the connection")
                *frames, self.buffer = (self.buffer + data).split(b"\0")
                replies += [json.loads(f) for f in frames]
        for r in replies:
            if r.get("error") or r["parameters"].get("verdict") not in ("done", None):
                raise RuntimeError(f"{method}: {r}")
        return replies


def request():
    return uuid.uuid4().hex


def unit_text(*words, extra=""):
    return f"[Unit]\nDescription=bench\n[Service]\nType=exec\nExecStart={' '.join(map(str, words))}\nRestart=on-failure\nRestartSec=100ms\n{extra}"


class Bench:
    def __init__(self, args):
        self.args, self.quick = args, args.quick
        self.build = pathlib.Path(args.build).resolve()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hobbench"))
        self.memory = pathlib.Path(tempfile.mkdtemp(prefix="hobbench", dir=tmpfs()))
        self.rows, self.n_fifos, self.n_homes = [], 0, 0
        self.hobs = []
        for source in HERE.glob("*.c"):
            subprocess.run(["cc", "-static", "-O2", "-D_GNU_SOURCE", "-o", self.dir / source.stem, source], check=True)

    def program(self, name):
        return str(self.dir / name)

    def fifo(self):
        self.n_fifos += 1
        return Fifo(self.dir / f"fifo{self.n_fifos}")

    @contextlib.contextmanager
    def instance(self, disk=False):
        """A running instance with one idle service in it."""
        self.n_homes += 1
        home = (self.dir if disk else self.memory) / f"h{self.n_homes}"
        home.mkdir()
        hob = Hob(self.build, home)
        try:
            hob.run("run", "-q", "--name", "first", "--settle", "0", "--", self.program("announce"), "/nonexistent", "0")
            yield hob
        finally:
            hob.shutdown()
            shutil.rmtree(home, ignore_errors=True)

    def start_many(self, hob, wire, n, words, extra="", first=0):
        """n services s0, s1, ...; "{}" in a word becomes the number."""
        return wire.pipeline("Run", [{
            "unit": f"s{i}.service", "request": request(), "settle_usec": 0,
            "text": unit_text(*[str(w).replace("{}", str(i)) for w in words], extra=extra)} for i in range(first, first + n)])

    def stop_many(self, wire, n):
        return wire.pipeline("Stop", [{"unit": f"s{i}.service", "request": request()} for i in range(n)])

    def row(self, name, what, unit, hob, floor=None, budget="", note="", ratio=None, digits=None):
        """hob, floor: lists of samples."""
        m, f = percentile(hob, .5), percentile(floor, .5) if floor else None
        if ratio is None and f:
            ratio = m / f
        r = {"row": name, "what": what, "unit": unit, "n": len(hob), "median": m, "p99": percentile(hob, .99),
             "floor_median": f, "floor_p99": percentile(floor, .99) if floor else None,
             "ratio": ratio, "budget": budget, "note": note}
        self.rows.append(r)
        print_row(r)

    def measure(self, n, *commands, hob=None):
        """Samples in microseconds of each of the commands, run alternately; all must end with 0."""
        words = []
        for c in commands:
            words += (["--"] if words else []) + ["---" if w == "--" else str(w) for w in c]
        with open(self.dir / "stderr", "w") as errors:  # not a pipe: what the floor detaches would hold it open
            out = subprocess.run([self.program("measure"), str(n), *words], env=hob.env if hob else None,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, check=True).stdout
        samples = [[] for _ in commands]
        for line in out.splitlines():
            which, ns, status = map(int, line.split())
            if status:
                raise RuntimeError(f"{' '.join(map(str, commands[which]))}: exit status {status}: {(self.dir / 'stderr').read_text()[-500:]}")
            samples[which].append(ns / 1e3)
        return samples

    def end(self):
        """Ends what the floors have left (by the directory in its command line) and removes it all."""
        mark = str(self.dir).encode()
        for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
            if pid != os.getpid() and proc(pid, "cmdline").startswith(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)


HEAD = ("what", "unit", "n", "median", "p99", "floor", "p99", "ratio", "budget", "note")
WIDTHS = (58, 5, 5, 9, 9, 9, 9, 7, 22, 0)


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def print_row(r):
    ratio = f"{r['ratio']:.2f}x" if r["ratio"] is not None else "-"
    cells = (r["what"], r["unit"], str(r["n"]), number(r["median"]), number(r["p99"]), number(r["floor_median"]), number(r["floor_p99"]), ratio, r["budget"], r["note"])
    print("  ".join(c.ljust(w) if i in (0, 1, 8, 9) else c.rjust(w) for i, (c, w) in enumerate(zip(cells, WIDTHS))), flush=True)


# The rows.

def run_settle_0(b):
    """`hob run --settle 0` of a static program, the instance running."""
    n = 40 if b.quick else 200
    announce = b.program("announce")
    with b.instance() as hob:
        floor, ours = b.measure(n, [b.program("floor_detach"), announce, "/nonexistent", "{}", "60"],
                                [hob.binary, "run", "--settle", "0", "--name", "r{}", "--", announce, "/nonexistent", "{}"], hob=hob)
    b.row("run", "hob run --settle 0, against fork+setsid+fork+exec", "us", ours, floor, "<= 4x")


def restart(b):
    """SIGKILL to the next instruction of the new copy."""
    n = 30 if b.quick else 100
    fifo, floor_fifo, announce = b.fifo(), b.fifo(), b.program("announce")
    floor_child = subprocess.Popen([b.program("floor_spawn"), str(n), floor_fifo.path, announce, "one"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    floor_child.stdout.readline()

    def floor_one():
        floor_child.stdin.write("x")
        floor_child.stdin.flush()
        _, at = floor_child.stdout.readline().split()
        return (floor_fifo.get(10)[0] - int(at)) / 1e3

    def kill(pid):
        at = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        ns, new, _ = fifo.get(20)
        return (ns - at) / 1e3, new

    with b.instance() as hob:
        hob.run("run", "-q", "--name", "web", "--settle", "0", "--restart-delay", "0", "--", announce, fifo.path, "0")
        _, pid, _ = fifo.get(10)
        ours, floor = [], []
        for _ in range(n):
            time.sleep(0.02)  # at rest between two
            floor.append(floor_one())
            us, pid = kill(pid)
            ours.append(us)
        b.row("restart", "kill -9 to the next instruction (--restart-delay 0)", "us", ours, floor, "<= 2x, < 1.0 ms")
        # By default: the first restart after 10 s of health is immediate. Each service is killed once.
        k = 5 if b.quick else 25
        for i in range(k):
            hob.run("run", "-q", "--name", f"d{i}", "--settle", "0", "--", announce, fifo.path, "0")
        pids = [pid for _, pid, _ in fifo.get_n(k)]
        time.sleep(10.2)
        ours = []
        for pid in pids:
            time.sleep(0.02)
            ours.append(kill(pid)[0])
        b.row("restart", "the same with the defaults, after 10 s of health", "us", ours, floor, "<= 2x, < 1.0 ms")
    floor_child.stdin.close()
    floor_child.wait()


def pss(pids):
    """KiB of each."""
    return {role: int(proc(pid, "smaps_rollup").split(b"\nPss:")[1].split()[0]) for role, pid in pids.items()}


def scale(b):
    """1,000 services: start, memory, descriptors, idling, list, stop; against a bare loop."""
    n = b.args.services or (200 if b.quick else 1000)
    rounds = 1 if b.quick else 3
    announce = b.program("announce")
    starts, floors, stops, floor_stops = [], [], [], []
    for turn in range(rounds):
        fifo = b.fifo()
        child = subprocess.Popen([b.program("floor_spawn"), str(n), fifo.path, announce], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        began = int(child.stdout.readline())
        floors.append((max(ns for ns, _, _ in fifo.get_n(n)) - began) / 1e6)
        for _ in range(n):
            child.stdout.readline()
        child.stdin.close()
        floor_stops.append(int(child.stdout.readline()) / 1e6)
        child.wait()
        with b.instance() as hob:
            pids = hob.pids()
            wire = hob.wire()
            one, fds_one = pss(pids), {role: len(os.listdir(f"/proc/{pid}/fd")) for role, pid in pids.items()}
            fifo = b.fifo()
            began = time.monotonic_ns()
            b.start_many(hob, wire, n, [announce, fifo.path, "{}"])
            starts.append((max(ns for ns, _, _ in fifo.get_n(n)) - began) / 1e6)
            if turn == rounds - 1:
                at_scale(b, hob, pids, n, one, fds_one)
            began = time.monotonic_ns()
            b.stop_many(wire, n)
            stops.append((time.monotonic_ns() - began) / 1e6)
            left = [p for p in os.listdir("/proc") if p.isdigit() and fifo.path.encode() in proc(p, "cmdline").split(b"\0")]
            if left:
                raise RuntimeError(f"{len(left)} processes were left after stop")
    b.row("scale", f"start of {n} (pipelined calls), against a bare loop", "ms", starts, floors, "<= 2x")
    b.row("scale", f"stop of {n}, whole trees (pipelined calls)", "ms", stops, floor_stops, f"<= {n / 10:.0f} ms")


def at_scale(b, hob, pids, n, one, fds_one):
    wait_until(lambda: quiet(pids, 0.2), 20, "the instance to be at rest")
    many = pss(pids)
    fds = {role: len(os.listdir(f"/proc/{pid}/fd")) for role, pid in pids.items()}
    detail = lambda v: ", ".join(f"{role} {value}" for role, value in v.items())
    b.row("memory", "memory (PSS) of all of hob with one service", "KiB", [sum(one.values())], None, "<= 1100", detail(one))
    per = (sum(many.values()) - sum(one.values())) / n
    b.row("memory", f"memory per idle service more, at {n}", "KiB", [per], None, "<= 2 (at 5,000)", f"all: {sum(many.values())} KiB; {detail(many)}")
    b.row("descriptors", "descriptors per service, in the process that has most", "", [max((fds[r] - fds_one[r]) / n for r in fds)], None, "<= 1", detail(fds))
    seconds = 2 if b.quick else 5
    before, cpu = switches(pids), cpu_ns(pids)
    time.sleep(seconds)
    b.row("idle", f"wake-ups in {seconds} s with {n} services", "", [switches(pids) - before], None, "0", f"CPU {(cpu_ns(pids) - cpu) / 1e6:.2f} ms; processes beside the services' own: 0 (3 in all)")
    noop = [b.program("floor_noop")]
    k = 30 if b.quick else 100
    status, floor = b.measure(k, [hob.binary, "status", f"s{n // 2}"], noop, hob=hob)
    b.row("control", f"hob status NAME, of {n}", "us", status, floor, "<= 1500 us")
    status, floor = b.measure(k, [hob.binary, "status", "-o", "json", f"s{n // 2}"], noop, hob=hob)
    b.row("control", f"hob status -o json NAME, of {n}", "us", status, floor, "<= 1500 us")
    listed, floor = b.measure(max(10, k // 3), [hob.binary, "list"], noop, hob=hob)
    b.row("control", f"hob list of {n}", "us", listed, floor, "<= 6000 us")


def threads(pids):
    return [f"{pid}/task/{t}" for pid in pids.values() for t in os.listdir(f"/proc/{pid}/task")]


def switches(pids):
    return sum(int(proc(t, "status").split(b"\nvoluntary_ctxt_switches:")[1].split()[0]) for t in threads(pids))


def cpu_ns(pids):
    return sum(int(proc(t, "schedstat").split()[0]) for t in threads(pids))


def quiet(pids, seconds):
    before = switches(pids)
    time.sleep(seconds)
    return switches(pids) == before


def log_throughput(b):
    """One writer as fast as it goes: program to file, through hob and through `cat > file`."""
    size = (128 << 20) if b.quick else (1 << 30)
    size -= size % 100
    ours, floor, rounds = [], [], 1 if b.quick else 3
    for _ in range(rounds):
        target = b.dir / "cat.out"
        began = time.monotonic()
        subprocess.run(["sh", "-c", f"{b.program('writer')} fast {size} | cat > {target}"], check=True)
        floor.append(size / 1e6 / (time.monotonic() - began))
        assert target.stat().st_size == size
        target.unlink()
        with b.instance(disk=True) as hob:
            wire = hob.wire()
            directory = hob.home / "log" / "s0"
            total = lambda: sum(f.stat().st_size for f in directory.glob("*.log")) if directory.exists() else 0
            began = time.monotonic()
            b.start_many(hob, wire, 1, [b.program("writer"), "fast", size], extra="[X-Hob]\nLogSize=64M\nLogKeep=1000\n")

            def done():
                with contextlib.suppress(FileNotFoundError):  # renamed while we looked
                    return total() >= size
            wait_until(done, 120, "all bytes to be in the log")
            ours.append(size / 1e6 / (time.monotonic() - began))
            check_log(directory, size)
    b.row("log", f"log path, timed and rotated, {size / (1 << 20):.0f} MiB, against cat > file", "MB/s", ours, floor, ">= 1x, no byte lost")


def check_log(directory, size):
    """Every byte once and in order: the lines are numbered."""
    files = sorted(directory.glob("*.log"), key=lambda f: (f.name == "current.log", f.name))
    position = 0
    for f in files:
        data = f.read_bytes()
        for i in range(0, len(data), 100 * 997):
            assert int(data[i:i + 12]) == (position + i) // 100, f"{f} at {i}"
        position += len(data)
    assert position == size, f"{position} bytes of {size} in the log"


def log_rate(b):
    """1,000 services, 100 lines a second each, ten lines a write: the share of one core."""
    n = b.args.services or (200 if b.quick else 1000)
    seconds = b.args.secs or (3 if b.quick else 8)
    with b.instance(disk=True) as hob:
        wire = hob.wire()
        b.start_many(hob, wire, n, [b.program("writer"), "rate", "100", seconds + 6])
        pids = hob.pids()
        time.sleep(2)
        roles = {role: cpu_ns({role: pid}) for role, pid in pids.items()}
        began = time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - began
        used = {role: (cpu_ns({role: pid}) - roles[role]) / 1e9 / elapsed * 100 for role, pid in pids.items()}
        b.row("rate", f"{n} services x 100 lines/s: share of one core", "%", [sum(used.values())], None, "<= 10 %", ", ".join(f"{r} {u:.1f}" for r, u in used.items()))
        expected = (seconds + 6) * 100 * 100
        path = lambda i: hob.home / "log" / f"s{i}" / "current.log"
        wait_until(lambda: all(path(i).exists() and path(i).stat().st_size == expected for i in range(n)), 60, "all lines to be in the logs")


def size(b):
    sizes = {}
    for name in ("hob", "hob-init"):
        target = b.dir / f"{name}.stripped"
        subprocess.run(["strip", "-o", target, b.build / name], check=True)
        sizes[name] = target.stat().st_size
    b.row("size", "stripped size of hob", "kB", [sizes["hob"] / 1e3], None, "<= 400 kB", f"hob-init {sizes['hob-init'] / 1e3:.0f} kB")


ROWS = {"run": run_settle_0, "restart": restart, "scale": scale, "log": log_throughput, "rate": log_rate, "size": size}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="fewer runs and services: a look, not a result")
    p.add_argument("--rows", help=f"only these, of {','.join(ROWS)}")
    p.add_argument("--list", action="store_true", help="name the rows")
    p.add_argument("--services", type=int, help="how many in the rows of scale (1000)")
    p.add_argument("--secs", type=int, help="seconds of the rate row (8)")
    p.add_argument("--build", default=os.environ.get("HOB_BUILD", HERE.parent / "build"))
    p.add_argument("--json", help="write the rows there (default: bench.json in the build directory)")
    args = p.parse_args()
    if args.list:
        print("\n".join(f"{name:10} {f.__doc__ or ''}".rstrip() for name, f in ROWS.items()))
        return 0
    names = args.rows.split(",") if args.rows else list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        p.error(f"no such row: {', '.join(unknown)} (there are {', '.join(ROWS)})")
    b = Bench(args)
    failed = []
    print("  ".join(h.ljust(w) if i in (0, 1, 8, 9) else h.rjust(w) for i, (h, w) in enumerate(zip(HEAD, WIDTHS))))
    try:
        for name in names:
            try:
                ROWS[name](b)
            except (RuntimeError, TimeoutError, AssertionError, OSError, subprocess.SubprocessError) as e:
                failed.append(name)
                print(f"{name}: FAILED: {e}", flush=True)
    finally:
        b.end()
    target = pathlib.Path(args.json or b.build / "bench.json")
    target.write_text(json.dumps({"machine": platform.platform(), "cores": os.cpu_count(), "quick": args.quick, "instances_on": str(b.memory.parent),
                                  "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "failed": failed, "rows": b.rows}, indent=1) + "\n")
    print(f"written to {target}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
