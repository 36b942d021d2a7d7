#!/usr/bin/env python3
"""Publishing a tree, as a ratio of `tar | zstd -3`, `casync make` and `restic backup` of the same tree in one run;
then once more with one file changed.

  publish_tree.py --build DIR [--tree DIR] [--rounds N]

The tree is copied first (to --work, default /var/tmp), so that a file of it may be changed. The page cache is warm for
all; what is written is synced as each program likes to. Medians of --rounds. casync and restic are left out when they
are not installed.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def size_of(folder):
    return sum(os.lstat(os.path.join(base, name)).st_size for base, _, names in os.walk(folder) for name in names)


class Lazyvol:
    name = "lazyvol"

    def __init__(self, build, work, options=()):
        self.program = Path(build) / "bench/publish/publish_tree"
        self.place, self.state = work / "volume", work / "state"
        self.options = options

    def store(self, tree):
        out = subprocess.run([self.program, tree, self.place, self.state, *self.options], check=True,
                             capture_output=True, text=True).stdout
        return json.loads(out)


class Tar:
    name = "tar | zstd -3"

    def __init__(self, work):
        self.place = work / "tar"
        self.place.mkdir()

    def store(self, tree):
        target = self.place / f"{len(list(self.place.iterdir()))}.tar.zst"
        subprocess.run(f"tar -C '{tree}' -cf - . | zstd -q -3 -T0 -o '{target}' && sync '{target}'", shell=True,
                       check=True)


class Casync:
    name = "casync make"

    def __init__(self, work):
        self.place = work / "casync"
        self.place.mkdir()

    def store(self, tree):
        subprocess.run(["casync", "make", f"--store={self.place}/store", f"{self.place}/tree.caidx", tree],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Restic:
    name = "restic backup"

    def __init__(self, work):
        self.place = work / "restic"
        self.words = ["restic", "-q", "-r", self.place, "--cache-dir", work / "restic-cache"]
        self.environment = dict(os.environ, RESTIC_PASSWORD="bench")
        subprocess.run([*self.words, "init"], check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def store(self, tree):
        # Its version of Debian 12 compresses when it is told the second format of repositories; that is its default.
        subprocess.run([*self.words, "backup", tree], check=True, env=self.environment)


def run(program, tree):
    before = size_of(program.place) if program.place.exists() else 0
    start = time.monotonic()
    report = program.store(tree)
    seconds = time.monotonic() - start
    return {"seconds": seconds, "bytes": size_of(program.place) - before, "report": report}


def change_one(tree, round_number):
    """Another text in a small file in the middle of the tree."""
    names = sorted(os.path.join(base, name) for base, _, files in os.walk(tree) for name in files)
    small = [n for n in names if not os.path.islink(n) and 2_000 < os.lstat(n).st_size < 20_000]
    with open(random.Random(round_number).choice(small), "r+b") as file:
        file.write(b"changed in round %d" % round_number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--tree", default="/usr/share")
    parser.add_argument("--work", default="/var/tmp")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-", dir=arguments.work) as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["cp", "-a", arguments.tree, tree], check=True)
        entries = sum(len(names) + len(folders) for _, folders, names in os.walk(tree))
        print(f"{entries} entries, {size_of(tree) / 1e6:.0f} MB from {arguments.tree}")
        for number in range(arguments.rounds):
            work = Path(folder) / "stores"
            work.mkdir()
            programs = [Lazyvol(arguments.build, work), Tar(work)]
            programs += [one(work) for one in (Casync, Restic) if shutil.which(one.name.split()[0])]
            for step in ("first", "one file changed"):
                if step != "first":
                    time.sleep(3)  # or what was copied a moment ago is not trusted yet
                    change_one(tree, number)
                random.Random(number).shuffle(programs)
                for program in programs:
                    results.setdefault(step, {}).setdefault(program.name, []).append(run(program, tree))
            shutil.rmtree(work)
    for step, by_program in results.items():
        print(f"\n{step}:")
        median = {name: {key: statistics.median(r[key] for r in runs) for key in ("seconds", "bytes")}
                  for name, runs in by_program.items()}
        ours = median["lazyvol"]
        for name, values in sorted(median.items(), key=lambda item: item[1]["seconds"]):
            print(f"  {name:14} {values['seconds']:8.2f} s  {values['bytes'] / 1e6:10.3f} MB   "
                  f"lazyvol takes {ours['seconds'] / values['seconds']:.2f} of the time and "
                  f"{ours['bytes'] / max(values['bytes'], 1):.3f} of the bytes")
        for one in by_program["lazyvol"]:
            print(f"  {one['report']}")


if __name__ == "__main__":
    main()
