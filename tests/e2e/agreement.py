#!/usr/bin/env python3
"""Everyday programs over a mounted tree agree with the original, and only what they read is fetched.

  agreement.py --build DIR [--tree DIR …]

Served by a real nginx (which follows symbolic links), mounted, and read by cp, rsync, sha256sum, git, python3,
sqlite3 and grep. Ends with "N passed, N failed"; the exit status says the same.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mounted import Mounted, Served  # noqa: E402

passed, failed = [], []


def check(name, good, detail=""):
    (passed if good else failed).append(name)
    print(f"{'ok  ' if good else 'FAIL'} {name} {detail if not good else ''}".rstrip(), flush=True)


def run(*words, cwd=None, env=None, **more):
    return subprocess.run([str(w) for w in words], cwd=cwd, env=env, capture_output=True, **more)


def regular_files(tree):
    """Readable files below `tree`, links followed, relative, sorted."""
    found = []
    for folder, _, names in os.walk(tree, followlinks=True):
        found += [os.path.relpath(os.path.join(folder, n), tree) for n in names
                  if os.path.isfile(os.path.join(folder, n))]
    return sorted(found)


def compare_tree(build, name, tree):
    files = regular_files(tree)
    total = sum(os.path.getsize(os.path.join(tree, f)) for f in files)
    print(f"{name}: {len(files)} files, {total >> 20} MiB", flush=True)
    with Served(build, tree) as server, Mounted(build) as lazyvol:
        mount = lazyvol.mount(server.url)
        sample = [f for f in files if os.path.getsize(os.path.join(tree, f)) > 0][:: max(1, len(files) // 20)]
        for f in sample:
            (mount / f).read_bytes()
        wanted = sum(os.path.getsize(os.path.join(tree, f)) for f in sample)
        got = server.content()[1]
        check(f"{name}: only what was read was fetched ({wanted} bytes read, {got} fetched)", got == wanted)

        sums = "".join(f"{line}\n" for line in checksums(tree, files))
        done = run("sha256sum", "-c", "--quiet", "-", cwd=mount, input=os.fsencode(sums))
        check(f"{name}: sha256sum -c", done.returncode == 0, done.stdout[-500:])
        done = run("rsync", "-rcnL", "--delete", "--itemize-changes", f"{tree}/", f"{mount}/")
        check(f"{name}: rsync -c", done.returncode == 0 and not done.stdout, (done.stdout + done.stderr)[-500:])
        copy = Path(tempfile.mkdtemp(prefix="lazyvol-copy-"))
        done = run("cp", "-r", f"{mount}/.", copy)
        same = run("diff", "-r", tree, copy)
        check(f"{name}: cp -r and diff -r", done.returncode == 0 and same.returncode == 0,
              (done.stderr + same.stdout + same.stderr)[-500:])
        shutil.rmtree(copy)
        grep = [run("grep", "-RcaF", "--binary-files=text", "the", ".", cwd=d) for d in (tree, mount)]
        lines = [sorted(g.stdout.splitlines()) for g in grep]
        check(f"{name}: grep -R", lines[0] == lines[1], f"{len(lines[0])} lines, {len(lines[1])} lines")
        repeated = int(server.ask("repeated"))
        check(f"{name}: each byte was fetched once", repeated == 0, f"{repeated} bytes more than once")


def checksums(tree, files):
    for start in range(0, len(files), 500):
        part = files[start:start + 500]
        yield from run("sha256sum", "--", *part, cwd=tree, check=True).stdout.decode(
            errors="surrogateescape").splitlines()


def everyday_programs(build):
    """git, python3 and sqlite3, each on a tree made for it."""
    root = Path(tempfile.mkdtemp(prefix="lazyvol-tree-"))
    repository = root / "repository"
    repository.mkdir()
    for i in range(300):
        path = repository / f"d{i % 7}" / f"file {i}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"line {i}\n" * (i + 1))
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        run("git", *words, cwd=repository, check=True)
    package = root / "python" / "sample_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import answer\n")
    (package / "inner.py").write_text("def answer():\n    return 42\n")
    database = sqlite3.connect(root / "table.db")
    database.execute("create table t(n integer primary key, text)")
    database.executemany("insert into t values(?, ?)", ((i, f"row {i}" * 9) for i in range(50_000)))
    database.commit()
    database.close()
    with Served(build, root) as server, Mounted(build) as lazyvol:
        mount = lazyvol.mount(server.url)
        done = run("git", "-c", f"safe.directory={mount}/repository", "status", "--porcelain",
                   cwd=mount / "repository")
        check("git status is clean", done.returncode == 0 and not done.stdout, (done.stdout + done.stderr)[-500:])
        done = run("git", "-c", f"safe.directory={mount}/repository", "fsck", "--strict",
                   cwd=mount / "repository")
        check("git fsck", done.returncode == 0, done.stderr[-500:])
        done = run("python3", "-B", "-c", "import sample_package; print(sample_package.answer())",
                   env=dict(os.environ, PYTHONPATH=str(mount / "python")))
        check("python3 imports", done.stdout == b"42\n", done.stderr[-500:])
        before = server.content()[1]
        query = "select count(*), sum(n), max(text) from t where n between 20000 and 20100"
        answers = [run("sqlite3", "-readonly", d / "table.db", query).stdout for d in (root, mount)]
        check("sqlite3 answers alike", answers[0] == answers[1] and answers[0], str(answers))
        fetched, size = server.content()[1] - before, (root / "table.db").stat().st_size
        check(f"sqlite3 fetched part of the file ({fetched} of {size} bytes)", 0 < fetched < size)
    shutil.rmtree(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="meson build directory")
    parser.add_argument("--tree", action="append", default=[], help="a tree to serve and compare")
    arguments = parser.parse_args()
    everyday_programs(arguments.build)
    for tree in arguments.tree:
        compare_tree(arguments.build, tree, Path(tree))
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
