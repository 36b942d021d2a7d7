#!/usr/bin/env python3
"""Cold random reads of 4 KiB over a slow link: round trips and bytes moved of each.

  cold_random.py --build DIR [--delay MS] [--reads N] [--size GIB] [--published-size MIB]

One reader, N reads of 4 KiB at random places of one file, behind a relay that delays each direction by MS (10: a round
trip of 20 ms). Plain web: a file of GIB. Published: a file of MIB of noise, cut as by default and with --chunk fixed.
rclone's mount beside it, when it is installed.
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, drop_page_cache  # noqa: E402
from peer import rclone_http  # noqa: E402

READ = 4096


def read_at_random(path, reads, expected, seed=7):
    """Seconds of each read; `expected` is the same file, to compare with."""
    chance = random.Random(seed)
    size = os.stat(path).st_size
    seconds = []
    with open(path, "rb", buffering=0) as file, open(expected, "rb", buffering=0) as right:
        for _ in range(reads):
            at = chance.randrange(size // READ) * READ
            start = time.monotonic()
            got = os.pread(file.fileno(), READ, at)
            seconds.append(time.monotonic() - start)
            if got != os.pread(right.fileno(), READ, at):
                raise RuntimeError(f"wrong bytes at {at}")
    return seconds


def moved(lazyvol):
    return lazyvol.status()["mounts"][0]["fetch"]["bytes_fetched"]


def report(name, seconds, bytes_moved, arguments):
    trip = 2 * arguments.delay / 1000
    amount = "" if bytes_moved is None else f"{bytes_moved / (READ * len(seconds)):8.1f} x the bytes read"
    print(f"{name:28} median {statistics.median(seconds) * 1000:6.1f} ms = {statistics.median(seconds) / trip:.2f} round trips, "
          f"p99 {sorted(seconds)[int(len(seconds) * 0.99)] * 1000:6.1f} ms {amount}", flush=True)


def from_lazyvol(name, arguments, url, expected):
    drop_page_cache()
    with Mounted(arguments.build) as lazyvol:
        mount = lazyvol.mount(url)
        (mount / "file").stat()
        before = moved(lazyvol)
        seconds = read_at_random(mount / "file", arguments.reads, expected)
        report(name, seconds, moved(lazyvol) - before, arguments)


def from_rclone(arguments, url, expected, received):
    with rclone_http(url) as point:
        (point / "file").stat()
        before = received()
        seconds = read_at_random(point / "file", min(arguments.reads, 40), expected)
        report("rclone mount", seconds, received() - before, arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--reads", type=int, default=300)
    parser.add_argument("--size", type=int, default=10, help="GiB of the plain file")
    parser.add_argument("--published-size", type=int, default=1024, help="MiB of the published file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        top = Path(folder)
        os.chmod(top, 0o755)
        served = top / "served"
        (served / "plain").mkdir(parents=True)
        (top / "tree").mkdir()
        with open(served / "plain/file", "wb") as out:  # sparse, with a mark at each page
            out.truncate(arguments.size << 30)
            chance = random.Random(7)
            for _ in range(arguments.reads):
                at = chance.randrange((arguments.size << 30) // READ) * READ
                out.seek(at)
                out.write(at.to_bytes(8, "little"))
        with open(top / "tree/file", "wb") as out, open("/dev/urandom", "rb") as noise:
            for _ in range(arguments.published_size):
                out.write(noise.read(1 << 20))
        for chunk in ("default", "fixed"):
            subprocess.run([f"{arguments.build}/tools/lazyvol", "publish", "--chunk", chunk, "--state-dir", top / f"state-{chunk}",
                            top / "tree", served / chunk], check=True, capture_output=True)
        with Served(arguments.build, served) as server, Served(arguments.build, served, "html") as html:
            server.ask(f"delay {arguments.delay}")
            html.ask(f"delay {arguments.delay}")
            from_lazyvol("lazyvol, web", arguments, server.relay_url + "plain/", served / "plain/file")
            from_lazyvol("lazyvol, published", arguments, server.relay_url + "default/", top / "tree/file")
            from_lazyvol("lazyvol, published fixed", arguments, server.relay_url + "fixed/", top / "tree/file")
            if shutil.which("rclone"):
                from_rclone(arguments, html.relay_url + "plain/", served / "plain/file", lambda: html.content()[1])


if __name__ == "__main__":
    main()
