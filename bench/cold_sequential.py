#!/usr/bin/env python3
"""A cold sequential read of one large file through lazyvol, as a ratio of curl from the same server into a file.

  cold_sequential.py --build DIR [--size MIB] [--rounds N] [--delay MS]

Both in turn, N times, page cache dropped before each; the median of each is compared. With --delay both go through
a relay that delays every segment by MS each way, and curl is also given parallel ranges.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, cpu_seconds, daemon_pids, drop_page_cache  # noqa: E402


def timed(words):
    drop_page_cache()
    start = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def parallel_curl(url, size, ways, folder):
    """Time of `ways` range requests at once, each into a file."""
    drop_page_cache()
    start = time.monotonic()
    step = -(-size // ways)
    children = [subprocess.Popen(["curl", "-s", "-r", f"{i * step}-{min(size, (i + 1) * step) - 1}",
                                  "-o", f"{folder}/part{i}", url]) for i in range(ways)]
    for child in children:
        if child.wait() != 0:
            raise RuntimeError("curl failed")
    return time.monotonic() - start


def cpu_of_children():
    """Seconds of CPU that ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=int, default=0, help="ms each way")
    arguments = parser.parse_args()
    size = arguments.size << 20
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        with open(root / "large", "wb") as out, open("/dev/urandom", "rb") as noise:
            for _ in range(arguments.size):
                out.write(noise.read(1 << 20))
        results = {"curl": [], "curl CPU": [], "lazyvol": [], "lazyvol CPU": []}
        with Served(arguments.build, root) as server:
            if arguments.delay:
                server.ask(f"delay {arguments.delay}")
            url = server.relay_url if arguments.delay else server.url
            for _ in range(arguments.rounds):
                before = cpu_of_children()
                results["curl"].append(timed(["curl", "-s", "-o", f"{folder}/copy", url + "large"]))
                results["curl CPU"].append(cpu_of_children() - before)
                if arguments.delay:
                    for ways in (4, 16, 64):
                        results.setdefault(f"curl x{ways}", []).append(
                            parallel_curl(url + "large", size, ways, folder))
                with Mounted(arguments.build) as lazyvol:
                    mount = lazyvol.mount(url)
                    results["lazyvol"].append(
                        timed(["dd", f"if={mount}/large", "of=/dev/null", "bs=1M", "status=none"]))
                    results["lazyvol CPU"].append(cpu_seconds(daemon_pids(lazyvol.cache)))
    medians = {name: statistics.median(values) for name, values in results.items()}
    best = min(value for name, value in medians.items() if name.startswith("curl") and not name.endswith("CPU"))
    for name, value in medians.items():
        spread = f"{min(results[name]):.2f}..{max(results[name]):.2f}"
        rate = "" if name.endswith("CPU") else f"  {arguments.size / value:8.0f} MiB/s"
        print(f"{name:12} {value:7.2f} s  ({spread}){rate}")
    print(f"lazyvol / best curl = {best / medians['lazyvol']:.2f} of its speed")


if __name__ == "__main__":
    main()
