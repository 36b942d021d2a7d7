#!/usr/bin/env python3
"""What a reader notices of a prefetch of everything: its reads alone, and beside `lazyvol prefetch`.

  hydrate.py --build DIR [--delay MS] [--options OPT,...] [--hydrated MIB] [--seconds N]

Two readers, each by itself on a mount of its own with an empty cache: one reads files of 4 MiB whole, one after the
other; the other 4 KiB at random places of a large file. Alone for N seconds, then for N seconds while all of another
directory (MIB) is fetched. Behind a relay that delays each direction by MS (10).
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, drop_page_cache  # noqa: E402


class WholeFiles:
    name = "files of 4 MiB"

    def __init__(self, point):
        self.files = iter(sorted((point / "files").iterdir()))

    def one(self):
        next(self.files).read_bytes()


class RandomReads:
    name = "4 KiB at random"

    def __init__(self, point):
        self.file = os.open(point / "large", os.O_RDONLY)
        self.size = os.fstat(self.file).st_size
        self.chance = random.Random(1)

    def one(self):
        os.pread(self.file, 4096, self.chance.randrange(self.size // 4096) * 4096)


def for_seconds(reader, seconds, still=lambda: True):
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end and still():
        start = time.monotonic()
        reader.one()
        times.append(time.monotonic() - start)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--options", default="", help="mount options")
    parser.add_argument("--hydrated", type=int, default=3072, help="MiB")
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        root = Path(folder)
        os.chmod(root, 0o755)
        for name in ("files", "all"):
            (root / name).mkdir()
        noise = os.urandom(4 << 20)
        for i in range(400):
            (root / "files" / f"{i:04}").write_bytes(noise)
        for i in range(arguments.hydrated // 32):
            with open(root / "all" / f"{i:04}", "wb") as out:
                out.write(noise * 8)
        with open(root / "large", "wb") as out:
            out.truncate(8 << 30)
        with Served(arguments.build, root) as server:
            server.ask(f"delay {arguments.delay}")
            for kind in (WholeFiles, RandomReads):
                drop_page_cache()
                with Mounted(arguments.build) as lazyvol:
                    point = lazyvol.mount(server.relay_url, arguments.options)
                    reader = kind(point)
                    alone = for_seconds(reader, arguments.seconds)
                    before = lazyvol.status()["mounts"][0]["fetch"]["bytes_fetched"]
                    start = time.monotonic()
                    hydrate = subprocess.Popen([lazyvol.tools / "lazyvol", "prefetch", str(point / "all")],
                                               env=lazyvol.environment, stdout=subprocess.DEVNULL)
                    time.sleep(0.3)
                    beside = for_seconds(reader, arguments.seconds, lambda: hydrate.poll() is None)
                    seconds = time.monotonic() - start
                    fetched = lazyvol.status()["mounts"][0]["fetch"]["bytes_fetched"] - before
                    hydrate.kill()
                    hydrate.wait()
                    print(f"{kind.name:16} alone p50 {statistics.median(alone) * 1000:7.1f} ms, beside a hydrate "
                          f"{statistics.median(beside) * 1000:7.1f} ms: {statistics.median(alone) / statistics.median(beside):.2f} "
                          f"of its speed ({len(alone)} and {len(beside)} reads; meanwhile {fetched / seconds / (1 << 20):.0f} MiB/s)",
                          flush=True)


if __name__ == "__main__":
    main()
