#!/usr/bin/env python3
"""A published volume of ten million files, over a slow link: requests, time and memory.

  huge.py --build DIR [--files N] [--wide N] [--delay MS]

The volume is made without its files (bench/published/synthetic_volume.cc): FILES in 10,000 directories and WIDE in
one. Counted at the server: requests of a mount and the first `ls`, of looking up random paths, of `find` over
the one wide directory; and what a change of one file publishes. The daemon's memory is read after each step.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests/support"))
from mounted import Mounted, Served, daemon_memory  # noqa: E402


class Step:
    """Requests, bytes and seconds of what is done inside a `with`."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.before = [int(word) for word in self.server.ask("totals").split()]
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.start
        after = [int(word) for word in self.server.ask("totals").split()]
        self.requests, self.bytes = after[0] - self.before[0], after[1] - self.before[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--files", type=int, default=9_000_000)
    parser.add_argument("--wide", type=int, default=1_000_000)
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--lookups", type=int, default=50)
    arguments = parser.parse_args()
    maker = str(Path(arguments.build) / "bench/published/synthetic_volume")
    base = Path(tempfile.mkdtemp(prefix="lazyvol-bench-"))
    base.chmod(0o755)
    chance = random.Random(1)
    each = arguments.files // 10_000
    try:
        volume = base / "volume"
        start = time.monotonic()
        print(subprocess.run([maker, "make", str(volume), str(arguments.files), str(arguments.wide)], check=True,
                             capture_output=True, text=True).stdout.strip(), f"({time.monotonic() - start:.1f} s)")
        with Served(arguments.build, volume) as server, Mounted(arguments.build) as lazyvol:
            server.ask(f"delay {arguments.delay}")

            def rss():
                now, peak = daemon_memory(lazyvol.cache)
                return f"RSS {now:.0f} MiB, peak {peak:.0f}"

            with Step(server) as step:
                mount = lazyvol.mount(server.relay_url, "refresh=never")
                names = os.listdir(mount)
            print(f"mount and first ls of {len(names)} names: {step.requests} requests, {step.bytes} bytes, "
                  f"{step.seconds * 1000:.0f} ms; {rss()}")
            counts, times = [], []
            for _ in range(arguments.lookups):
                path = (f"a{chance.randrange(100):03}/b{chance.randrange(100):03}/"
                        f"file-{chance.randrange(each):08}.txt")
                with Step(server) as step:
                    os.stat(mount / path)
                counts.append(step.requests)
                times.append(step.seconds * 1000)
            print(f"stat of {arguments.lookups} random paths of depth 3: {statistics.median(counts)} requests at the "
                  f"median, {max(counts)} at most; {statistics.median(times):.0f} ms at the median; {rss()}")
            for which in ("first", "second"):
                with Step(server) as step:
                    found = int(subprocess.run(f"find {mount}/wide -type f | wc -l", shell=True, check=True,
                                               capture_output=True, text=True).stdout)
                print(f"{which} find over {found} names of one directory: {step.requests} requests, {step.bytes} bytes, "
                      f"{step.seconds:.2f} s; {rss()}")
            with Step(server) as step:
                subprocess.run(["ls", "-lU", str(mount / "wide")], check=True, stdout=subprocess.DEVNULL)
            print(f"ls -l of it: {step.requests} requests, {step.seconds:.2f} s; {rss()}")
        print("a change of one file:", subprocess.run([maker, "touch", str(volume)], check=True, capture_output=True,
                                                      text=True).stdout.strip())
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
