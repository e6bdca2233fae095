"""All tests: runs them, counts them, lists what was skipped, and ends with "N passed, N failed".

The C tests print TAP (https://testanything.org); the system tests are pytest's. On Debian 12 as root
nothing may be skipped, so there a skipped test counts as failed.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TAP_LINE = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*)$")
TIMEOUT_S = 300
# Test vectors that are not part of this tree: where they are missing, their tests say 1..0.
ORACLE = os.path.join(os.path.dirname(ROOT), "shared", "oracle")


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.absent = 0, [], [], []

    def add_tap(self, program, output, status):
        seen = 0
        for line in output.splitlines():
            match = TAP_LINE.match(line)
            if not match:
                continue
            seen += 1
            name = f"{program}: {match.group(2)}"
            if re.search(r"#\s*skip", line, re.I):
                self.skipped.append(name)
            elif match.group(1):
                self.failed.append(name)
            else:
                self.passed += 1
        absent = re.search(r"^1\.\.0\s*# SKIP(.*)$", output, re.M | re.I)
        if seen == 0 and status == 0 and absent:
            self.absent.append(f"{program}:{absent.group(1)}")
        elif seen == 0 or (status != 0 and not self.failed):
            self.failed.append(f"{program}: ended with status {status} after {seen} results")

    def add_junit(self, path):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            kinds = {child.tag: child for child in case}
            if "failure" in kinds or "error" in kinds:
                self.failed.append(name)
            elif "skipped" in kinds:
                self.skipped.append(f"{name} ({kinds['skipped'].get('message')})")
            else:
                self.passed += 1


def tap_tests(build):
    found = subprocess.run(["meson", "introspect", "--tests", build], check=True,
                           capture_output=True, text=True)
    return json.loads(found.stdout)


def run_tap(build, count, label):
    for test in tap_tests(build):
        environment = dict(os.environ, HOB_SOURCE=ROOT, ASAN_OPTIONS="detect_leaks=1",
                           UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", **test["env"])
        if os.path.isdir(ORACLE):
            environment.setdefault("HOB_ORACLE_DIR", ORACLE)
        name = f"{label}{test['name']}"
        started = time.monotonic()
        try:
            done = subprocess.run(test["cmd"], env=environment, cwd=ROOT, text=True,
                                  errors="replace", timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as late:
            output = (late.stdout or b"").decode(errors="replace")
            status = "timeout"
        failed_before = len(count.failed)
        count.add_tap(name, output, status)
        ok = len(count.failed) == failed_before
        print(f"{'ok  ' if ok else 'FAIL'} {name} ({time.monotonic() - started:.1f} s)", flush=True)
        if not ok:
            print("\n".join("     " + line for line in output.splitlines()[-60:]), flush=True)


def run_system(build, count, arguments):
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "junit.xml")
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-n", "4",
                   "-o", "junit_family=xunit1", f"--junitxml={report}",
                   os.path.join(HERE, "system"), *arguments]
        environment = dict(os.environ, HOB_BUILD=os.path.abspath(build),
                           PYTHONDONTWRITEBYTECODE="1")
        status = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
        if os.path.exists(report):
            count.add_junit(report)
        if status not in (0, 1):
            count.failed.append(f"pytest ended with status {status}")


def nothing_may_be_skipped():
    try:
        with open("/etc/os-release", encoding="utf-8") as release:
            text = release.read()
    except OSError:
        return False
    return os.geteuid() == 0 and 'ID=debian' in text and 'VERSION_ID="12"' in text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", help="the build whose tests and programs are run")
    parser.add_argument("--sanitized", help="a build with sanitizers, for its C tests")
    parser.add_argument("--no-system", action="store_true")
    parser.add_argument("--no-unit", action="store_true")
    parser.add_argument("pytest", nargs="*", help="passed on to pytest")
    options = parser.parse_args()
    count = Count()
    if options.build and not options.no_unit:
        run_tap(options.build, count, "")
    if options.sanitized:
        run_tap(options.sanitized, count, "asan/")
    if options.build and not options.no_system:
        run_system(options.build, count, options.pytest)
    for name in count.skipped + count.absent:
        print(f"skipped: {name}")
    if nothing_may_be_skipped():
        count.failed += [f"{name} (skipped)" for name in count.skipped]
    for name in count.failed:
        print(f"failed: {name}")
    print(f"{count.passed} passed, {len(count.failed)} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
