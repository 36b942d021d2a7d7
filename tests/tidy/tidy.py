#!/usr/bin/python3
"""Holds the house rules that a compiler does not: `tidy.py ROOT` lists what breaks them.

One table says which module may use which; docs/architecture.md draws the same picture.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# module -> what it may include besides itself and the public headers; what those may use, it may, too.
MODULES = {
    "base": [],
    "model": ["base"],
    "catalog": ["model"],
    "net": ["model"],
    "source": ["net"],
    "cache": ["model"],
    "prefetch": ["model"],
    "fetch": ["catalog", "source", "cache", "prefetch"],
    "volume": ["fetch"],
    "fuse": ["base"],
    "publish": ["catalog", "source"],
    "git": ["catalog", "source"],
    "daemon": ["fuse", "volume", "publish", "git"],
    "tools": ["daemon"],
}

# Headers of a library -> the only modules that may know it.
LIBRARIES = {
    "rocksdb/": ["cache", "publish"],
    "curl/": ["net", "daemon"],  # the control client speaks HTTP over a unix socket
    "fuse": ["fuse"],
    "spdlog/": ["base"],
    "libssh/": ["source"],
    "libxml/": ["net", "source"],
    "microhttpd": ["daemon"],
    "CLI/": ["daemon", "tools"],
    "openssl/": ["catalog", "net"],
    "zstd": ["catalog"],
}

MAX_LINES = {".cc": 500, ".h": 200}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX)\b")


def reachable(module, table=None):
    """Everything that `module` may include, itself too."""
    table = MODULES if table is None else table
    found, queue = set(), [module]
    while queue:
        one = queue.pop()
        if one not in found:
            found.add(one)
            queue += table[one]
    return found


def table_cycles():
    """Two modules that may include each other are one module with two names."""
    return [f"table: {a} and {b} may include each other"
            for a in MODULES for b in MODULES
            if a < b and b in reachable(a) and a in reachable(b)]


def sources(root):
    for top in ("include", "src", "tools"):
        yield from sorted(p for p in (root / top).rglob("*") if p.suffix in MAX_LINES)


def module_of(root, path):
    parts = path.relative_to(root).parts
    return {"src": parts[1], "include": "include", "tools": "tools"}[parts[0]]


def check_includes(root):
    for path in sources(root):
        module, shown = module_of(root, path), path.relative_to(root)
        if module not in MODULES and module != "include":
            yield f"{shown}: module {module} is not in the table of tests/tidy/tidy.py"
            continue
        allowed = reachable(module) if module in MODULES else set()
        for kind, header in INCLUDE.findall(path.read_text()):
            first = header.split("/")[0]
            if kind == '"':
                if first != "lazyvol" and first not in allowed:
                    yield f"{shown}: {module} must not include {header}"
                continue
            for library, users in LIBRARIES.items():
                if header.startswith(library) and module not in users:
                    yield f"{shown}: only {' and '.join(users)} may include <{header}>"


def check_texts(root):
    for path in sources(root):
        shown, text = path.relative_to(root), path.read_text()
        lines = text.splitlines()
        if len(lines) > MAX_LINES[path.suffix]:
            yield f"{shown}: {len(lines)} lines, more than {MAX_LINES[path.suffix]}"
        for number, line in enumerate(lines, 1):
            if "\t" in line:
                yield f"{shown}:{number}: tab"
            if line != line.rstrip():
                yield f"{shown}:{number}: trailing space"
            if match := LEFT_OVER.search(line):
                yield f"{shown}:{number}: {match.group()}"
        if path.suffix == ".h" and "#pragma once" not in text:
            yield f"{shown}: no #pragma once"


def lists(build, name):
    """True when the text of a meson.build names a file: as 'a.cc', or as 'b_' + name + '.cc' in a loop over
    names that 'a' is one of."""
    if re.search(rf"['/]{re.escape(name)}'", build):
        return True
    for prefix, suffix in re.findall(r"'(\w*)' \+ name \+ '([\w.]+)'", build):
        middle = name.removeprefix(prefix).removesuffix(suffix)
        if prefix + middle + suffix == name and f"'{middle}'" in build:
            return True
    return False


def check_dead_files(root):
    """Every .cc is built, every header is included by somebody else."""
    files = [p for top in ("include", "src", "tools", "tests", "bench") for p in (root / top).rglob("*")
             if p.suffix in MAX_LINES]
    included = set()
    for path in files:
        for _, header in INCLUDE.findall(path.read_text()):
            included.add(pathlib.PurePath(header).name)
    for path in files:
        shown = path.relative_to(root)
        if path.suffix == ".h":
            if path.name not in included:
                yield f"{shown}: nobody includes it"
            continue
        builds = [d / "meson.build" for d in path.parents if d != root and root in d.parents]
        if not any(lists(b.read_text(), path.name) for b in builds if b.exists()):
            yield f"{shown}: no meson.build lists it"


def check_public_headers(root, compiler="c++"):
    for header in sorted((root / "include").rglob("*.h")):
        name = header.relative_to(root / "include")
        with tempfile.NamedTemporaryFile("w", suffix=".cc") as unit:
            unit.write(f'#include "{name}"\n')
            unit.flush()
            result = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                                     "-I", str(root / "include"), unit.name],
                                    capture_output=True, text=True)
        if result.returncode != 0:
            yield f"include/{name}: does not compile alone: {result.stderr.strip().splitlines()[:3]}"


CHECKS = [check_includes, check_texts, check_dead_files, check_public_headers]


def check(root, checks=CHECKS):
    findings = table_cycles()
    for one in checks:
        findings += one(root)
    return findings


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "tidy")
    sys.exit(1 if found else 0)
