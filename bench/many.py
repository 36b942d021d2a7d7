#!/usr/bin/env python3
"""Memory and descriptors of the daemon after a find over a million files, and with a hundred thousand open.

  many.py --build DIR [--files N] [--open N]

The find goes over a published volume of N files in 10,000 directories (made without its files, as huge.py's), with each way
of open=; the open files are of 4 KiB, of a web directory, each read once.
"""

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from metadata import make_tree, timed  # noqa: E402
from mounted import Mounted, Served, daemon_usage  # noqa: E402


def find_over(arguments, folder, option):
    volume = folder / "volume"
    with Served(arguments.build, volume) as server, Mounted(arguments.build) as lazyvol:
        mount = lazyvol.mount(server.url, f"refresh=never,{option}")
        print(f"{option}: mounted: {daemon_usage(lazyvol.cache)}")
        for which in ("first", "second"):
            seconds, out = timed(["find", str(mount), "-type", "f"])
            print(f"{option}: {which} find over {out.count(10)} files: {seconds:.1f} s; {daemon_usage(lazyvol.cache)}", flush=True)


class Holder:
    """A process that opens and reads files, and keeps them open."""

    def __init__(self, mount, names):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.hold, args=(mount, names, theirs))
        self.process.start()

    @staticmethod
    def hold(mount, names, pipe):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        whole = 0
        for name in names:
            whole += len(os.read(os.open(mount / name, os.O_RDONLY), 8192)) == 4096
        pipe.send(whole)
        pipe.recv()

    def opened(self):
        return self.ours.recv()

    def close(self):
        self.ours.send(None)
        self.process.join()


def open_many(arguments, folder, option):
    root = folder / "root"
    if not root.exists():
        root.mkdir()
        make_tree(root, arguments.open)
    names = [f"d{number // 100:05}/file-{number % 100:02}.txt" for number in range(arguments.open)]
    with Served(arguments.build, root) as server, Mounted(arguments.build) as lazyvol:
        mount = lazyvol.mount(server.url, option)
        print(f"{option}: mounted: {daemon_usage(lazyvol.cache)}")
        each = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100  # a process may open no more
        holders = [Holder(mount, names[begin:begin + each]) for begin in range(0, len(names), each)]
        count = sum(holder.opened() for holder in holders)
        print(f"{option}: {count} files open, read: {daemon_usage(lazyvol.cache)}")
        for holder in holders:
            holder.close()
        print(f"{option}: closed: {daemon_usage(lazyvol.cache)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    arguments = parser.parse_args()
    maker = "bench/published/synthetic_volume"
    subprocess.run(["ninja", "-C", arguments.build, maker], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        subprocess.run([str(Path(arguments.build) / maker), "make", str(folder / "volume"), str(arguments.files), "100"],
                       check=True, stdout=subprocess.DEVNULL)
        for option in ("open=passthrough", "open=kernel"):
            find_over(arguments, folder, option)
            open_many(arguments, folder, option)


if __name__ == "__main__":
    main()
