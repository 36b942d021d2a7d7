#!/usr/bin/env python3
"""Metadata of a tree of small files whose names and bytes are here, against the local file system and rclone.

  metadata.py --build DIR [--files N] [--rounds N] [--json FILE]

A tree of N files of 4 KiB in directories of 100: find, find -size, git status, a storm of stat(2) and one of open, read and
close, each over all files in a random order. Everything was done once before; the median of the rounds is shown, in
thousands of files per second. lazyvol with its defaults, and with open=kernel; rclone's mount when it is installed.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, daemon_usage  # noqa: E402
from peer import ratio_table, rclone_http  # noqa: E402


def make_tree(root, files):
    """Names of all files."""
    names = []
    content = os.urandom(4096)
    old = 1_700_000_000
    for number in range(files):
        folder = root / f"d{number // 100:05}"
        if number % 100 == 0:
            folder.mkdir()
        path = folder / f"file-{number % 100:02}.txt"
        path.write_bytes(content)
        os.utime(path, (old, old))  # whole seconds, as servers tell them
        names.append(str(path.relative_to(root)))
    return names


def timed(words, **options):
    start = time.monotonic()
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, **options)
    return time.monotonic() - start, done.stdout


class Tree:
    """One system's view of the tree, and what is done with it."""

    def __init__(self, name, root, names, build, folder):
        self.name, self.root = name, root
        self.storm = str(Path(build) / "bench/fuse/storm")
        shuffled = list(names)
        random.Random(3).shuffle(shuffled)
        self.list = Path(folder) / f"list-{name.replace(' ', '-').replace('=', '-')}"
        self.list.write_text("".join(f"{root}/{one}\n" for one in shuffled))
        self.git = ["git", f"--git-dir={folder}/git", f"--work-tree={root}", "--no-optional-locks",
                    "-c", "core.checkStat=minimal", "-c", "core.trustctime=false", "status", "--short"]
        self.files = len(names)

    def find(self):
        seconds, out = timed(["find", str(self.root), "-type", "f"])
        assert out.count(b"\n") == self.files, (self.name, out.count(b"\n"))
        return seconds

    def find_size(self):
        seconds, out = timed(["find", str(self.root), "-type", "f", "-size", "8"])
        assert out.count(b"\n") == self.files, (self.name, out.count(b"\n"))
        return seconds

    def git_status(self):
        seconds, out = timed(self.git)
        assert out == b"", (self.name, out[:200])
        return seconds

    def stats(self):
        return float(timed([self.storm, "stat", str(self.list)])[1])

    def reads(self):
        return float(timed([self.storm, "read", str(self.list)])[1])


CASES = [("find", Tree.find), ("find -size", Tree.find_size), ("git status", Tree.git_status),
         ("stat storm", Tree.stats), ("open-read-close storm", Tree.reads)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the medians there")
    arguments = parser.parse_args()
    subprocess.run(["ninja", "-C", arguments.build, "bench/fuse/storm"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        os.chmod(folder, 0o755)
        root = Path(folder) / "root"
        root.mkdir()
        names = make_tree(root, arguments.files)
        git = ["git", f"--git-dir={folder}/git", f"--work-tree={root}"]
        subprocess.run(git + ["init", "-q"], check=True, cwd=root)
        subprocess.run(git + ["-c", "core.looseCompression=0", "add", "."], check=True, cwd=root)
        subprocess.run(git + ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"], check=True, cwd=root)
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Served(arguments.build, root))
            html = stack.enter_context(Served(arguments.build, root, "html"))
            lazyvol = stack.enter_context(Mounted(arguments.build, Path(folder) / "cache", "metadata-ttl=1h"))
            kernel = stack.enter_context(Mounted(arguments.build, Path(folder) / "cache2", "metadata-ttl=1h,open=kernel"))
            roots = {"local file system": root, "lazyvol": lazyvol.mount(server.url), "lazyvol open=kernel": kernel.mount(server.url)}
            if shutil.which("rclone"):
                roots["rclone"] = stack.enter_context(
                    rclone_http(html.url, "--dir-cache-time=1h", "--attr-timeout=1h", folder=folder))
            trees = [Tree(name, where, names, arguments.build, folder) for name, where in roots.items()]
            results = {tree.name: {} for tree in trees}
            for tree in trees:
                for case, what in CASES:
                    print(f"first: {tree.name}: {case}: {what(tree):.2f} s", file=sys.stderr, flush=True)
            for number in range(arguments.rounds):
                for case, what in CASES:
                    for tree in trees:
                        seconds = what(tree)
                        results[tree.name].setdefault(case, []).append(seconds)
                        print(f"round {number + 1}: {tree.name}: {case}: {seconds:.2f} s", file=sys.stderr, flush=True)
            for mounted in (lazyvol, kernel):
                print(f"{mounted.options[1]}: {daemon_usage(mounted.cache)}", file=sys.stderr)
    text, medians = ratio_table(f"warm, {arguments.files} files", "1,000/s", results,
                                lambda seconds: arguments.files / seconds / 1000)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
