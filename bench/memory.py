#!/usr/bin/env python3
"""Many cold readers on little memory: the daemon's resident set, and whether anybody starves.

  memory.py --build DIR [--target SIZE] [--readers N] [--mib N] [--delay MS] [--published]

N readers (64) at once, each of a cold file of its own (16 MiB), with memory-target=SIZE (64M), behind a relay that
delays each direction by MS (10). The resident set is looked at every 20 ms. With --published the files are those of a
published volume.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, daemon_pids, drop_page_cache  # noqa: E402


class Watch(threading.Thread):
    """The greatest resident set, of memory that is the process's own (files mapped count where they are kept)."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.most, self.over = pid, 0, False

    def run(self):
        while not self.over:
            fields = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
            self.most = max(self.most, int(fields["VmRSS"].split()[0]) << 10)
            time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--target", default="64M")
    parser.add_argument("--readers", type=int, default=64)
    parser.add_argument("--mib", type=int, default=16, help="of each file")
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--published", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        top = Path(folder)
        os.chmod(top, 0o755)
        tree = top / "served/tree"
        tree.mkdir(parents=True)
        for i in range(arguments.readers):
            (tree / f"{i:03}").write_bytes(os.urandom(arguments.mib << 20))
        if arguments.published:
            subprocess.run([f"{arguments.build}/tools/lazyvol", "publish", "--state-dir", top / "state", tree,
                            top / "served/volume"], check=True, capture_output=True)
        with Served(arguments.build, top / "served") as server, \
                Mounted(arguments.build, options=f"memory-target={arguments.target}") as lazyvol:
            server.ask(f"delay {arguments.delay}")
            drop_page_cache()
            point = lazyvol.mount(server.relay_url + ("volume/" if arguments.published else "tree/"))
            pid = daemon_pids(lazyvol.cache)[0]
            watch = Watch(pid)
            watch.start()
            start = time.monotonic()
            readers = [subprocess.Popen(["dd", f"if={point}/{i:03}", "of=/dev/null", "bs=1M", "status=none"])
                       for i in range(arguments.readers)]
            ends, failed = [], 0
            left = dict(enumerate(readers))
            while left:
                for i, child in list(left.items()):
                    if child.poll() is not None:
                        failed += child.returncode != 0
                        ends.append(time.monotonic() - start)
                        del left[i]
                time.sleep(0.005)
            watch.over = True
            watch.join()
            target = int(arguments.target[:-1]) << 20
            print(f"{arguments.readers} readers of {arguments.mib} MiB, memory-target={arguments.target}: "
                  f"resident at most {watch.most / (1 << 20):.0f} MiB = target {(watch.most - target) / (1 << 20):+.0f} MiB")
            print(f"done: first {ends[0]:.2f} s, median {statistics.median(ends):.2f}, last {ends[-1]:.2f}; {failed} failed; "
                  f"{arguments.readers * arguments.mib / ends[-1]:.0f} MiB/s together")


if __name__ == "__main__":
    main()
