"""Folders are layers: checks every include, and what core and unit need from outside. Prints TAP.

Usage: layers.py SOURCE_ROOT BUILD_DIR
"""
import os
import re
import subprocess
import sys

# folder -> what it may include beside itself ("hob" stands for libhob's header)
MAY_INCLUDE = {
    "lib": {"hob"},
    "src/base": set(),
    "src/unit": {"base"},
    "src/core": {"base", "unit"},
    "src/wire": {"base"},
    "src/os": {"base", "hob"},
    "src/init": {"base", "os", "hob"},
    "src/logger": {"base", "os", "hob"},
    "src/supervisor": {"base", "unit", "core", "wire", "os", "hob"},
    "src/cli": {"base", "unit", "wire", "os", "hob"},
}
# The two mains put the programs together.
EXCEPTIONS = {"src/cli/main.c": {"supervisor"}, "src/init/main.c": {"logger"}}
LAYERS = {"base", "unit", "core", "wire", "os", "init", "logger", "supervisor", "cli"}
# Pure: headers of C itself, and the map library, which is macros only.
PURE = {"src/unit", "src/core"}
C_HEADERS = {"assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "math.h", "signal.h", "stdarg.h",
             "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "uthash.h",
             "utlist.h", "stdnoreturn.h"}
# What unit and core may need from libc: memory, strings, numbers. No clock, no file, no process.
ALLOWED_SYMBOLS = re.compile(
    r"^(malloc|calloc|realloc|reallocarray|free|abort|mem\w+|str(?!ftime)\w+|__mem\w+|__str\w+"
    r"|__isoc\w+_(strto\w+|sscanf)|qsort|bsearch|exp|log|pow|fmod|ldexp|exit"
    r"|(__)?v?snprintf(_chk)?|(__)?v?asprintf(_chk)?|sscanf|__ctype_\w+|toupper|tolower"
    r"|__stack_chk_fail|__assert_fail|__errno_location|_GLOBAL_OFFSET_TABLE_|__explicit_bzero_chk)$")
INCLUDE = re.compile(r'^\s*#\s*include(?:_next)?\s*(["<])([^">]+)[">]')
# A layer's own and lower layers' exports are told by the archives.


def sources(root, folder):
    for directory, _, names in os.walk(os.path.join(root, folder)):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".def")):
                yield os.path.join(directory, name)


def wrong_includes(root, folder):
    own = folder.rsplit("/", 1)[-1]
    for path in sources(root, folder):
        relative = os.path.relpath(path, root)
        allowed = MAY_INCLUDE[folder] | EXCEPTIONS.get(relative, set())
        with open(path, encoding="utf-8") as text:
            for number, line in enumerate(text, 1):
                match = INCLUDE.match(line)
                if not match:
                    if re.match(r"^\s*#\s*include\b", line):
                        yield f"{relative}:{number}: an include that cannot be read"
                    continue
                name = match.group(2)
                problem = judge(folder, own, allowed, name, path)
                if problem:
                    yield f"{relative}:{number}: {problem}"


def judge(folder, own, allowed, name, path):
    if ".." in name.split("/"):
        return f"{name}: a path that climbs"
    head = name.split("/")[0]
    if "/" in name and head in LAYERS:
        return None if head == own or head in allowed else f"{name}: may not include {head}"
    if name == "hob.h":
        return None if "hob" in allowed else "may not include libhob's header"
    if folder == "lib" and os.path.exists(os.path.join(os.path.dirname(path), name)):
        return None
    if "/" not in name and os.path.exists(os.path.join(os.path.dirname(path), name)):
        return f"{name}: write \"{own}/{name}\""
    if folder in PURE and name not in C_HEADERS:
        return f"{name}: only C's own headers here"
    return None


def symbols(archive, flag):
    listing = subprocess.run(["nm", flag, archive], check=True, capture_output=True, text=True)
    return {line.split()[-1].split("@")[0] for line in listing.stdout.splitlines()
            if line.strip() and not line.endswith(":")}


def foreign_symbols(build, layer):
    needed = symbols(os.path.join(build, "src", layer, f"lib{layer}.a"), "-u")
    for lower in {"unit": ("unit", "base"), "core": ("core", "unit", "base")}[layer]:
        needed -= symbols(os.path.join(build, "src", lower, f"lib{lower}.a"), "--defined-only")
    for name in sorted(needed):
        if not ALLOWED_SYMBOLS.match(name) and not name.startswith(("__asan", "__ubsan", "__sanitizer")):
            yield f"{layer} needs {name}"


def needed_libraries(program):
    listing = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True)
    return re.findall(r"\(NEEDED\).*\[(.+)\]", listing.stdout)


def main():
    root, build = sys.argv[1:3]
    checks = [(f"includes of {folder}", list(wrong_includes(root, folder))) for folder in MAY_INCLUDE]
    checks += [(f"symbols of {layer}", list(foreign_symbols(build, layer))) for layer in ("unit", "core")]
    extra = [lib for lib in needed_libraries(os.path.join(build, "hob-init"))
             if not lib.startswith(("libc.", "ld-linux", "libasan", "libubsan"))]
    checks.append(("hob-init links libc only", extra))
    for number, (name, problems) in enumerate(checks, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    print(f"1..{len(checks)}")
    return 1 if any(problems for _, problems in checks) else 0


if __name__ == "__main__":
    sys.exit(main())
