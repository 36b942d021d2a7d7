#!/usr/bin/env python3
"""How well download-limit holds: the rate at which a cold file comes, as a ratio of the limit.

  download_limit.py --build DIR [--limits 4M,32M,128M] [--seconds N] [--readers N]

For each limit a fresh mount reads as much as N seconds (5) are good for, by one reader and by --readers (8) of a file
each. Then the limit of the last mount is doubled while it reads.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, drop_page_cache  # noqa: E402

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def bytes_of(text):
    return int(text[:-1]) * UNITS[text[-1]]


def read(path):
    subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"], check=True)


def rate(point, names, size):
    drop_page_cache()
    start = time.monotonic()
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(read, [point / name for name in names]))
    return len(names) * size / (time.monotonic() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--limits", default="4M,32M,128M")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--readers", type=int, default=8)
    arguments = parser.parse_args()
    for text in arguments.limits.split(","):
        limit = bytes_of(text)
        size = limit * arguments.seconds // arguments.readers
        with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
            root = Path(folder)
            for name, length in [("one", limit * arguments.seconds), ("more", 2 * limit * arguments.seconds)] + [
                    (f"f{i}", size) for i in range(arguments.readers)]:
                subprocess.run(f"head -c {length} /dev/urandom > {root / name}", shell=True, check=True)
            server = Served(arguments.build, root)
            with Mounted(arguments.build, options=f"download-limit={text}") as lazyvol:
                point = lazyvol.mount(server.url)
                for what, names, length in [("one reader", ["one"], limit * arguments.seconds),
                                            (f"{arguments.readers} readers",
                                             [f"f{i}" for i in range(arguments.readers)], size)]:
                    got = rate(point, names, length)
                    print(f"download-limit={text:5} {what:10}  {got / (1 << 20):8.2f} MiB/s  {got / limit:.3f} of it")
                with ThreadPoolExecutor(1) as pool:
                    reading = pool.submit(rate, point, ["more"], 2 * limit * arguments.seconds)
                    time.sleep(arguments.seconds / 2)
                    lazyvol.run("limit", "--cache-dir", lazyvol.cache, f"download-limit={2 * limit}")
                    # Half a time at the limit, then at twice as much.
                    took = 2 * limit * arguments.seconds / reading.result()
                    expected = arguments.seconds / 2 + (2 - 0.5) * arguments.seconds / 2
                    print(f"download-limit={text:5} doubled      {took:8.2f} s for {expected:.2f} s")
            server.close()
            sys.stdout.flush()


if __name__ == "__main__":
    main()
