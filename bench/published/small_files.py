#!/usr/bin/env python3
"""Reading a cold tree of many small files over a slow link: published, and by every other way.

  small_files.py --build DIR [--files N] [--delay MS] [--rounds N] [--peers-files N]

N files (1 to 8 KiB of text) in directories of 200, behind a relay that delays each direction by MS (10: a round
trip of 20 ms). Each way begins cold and ends when `tar cf - . | cat` has every byte. The floor is curl fetching one
tar.zst of the same tree. Peers that pay several round trips for each file read a part of the tree; their time is
for all files, in proportion, and marked with *. casync and rclone are measured when they are installed.
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
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from mounted import Mounted, Served, cpu_seconds, daemon_pids, drop_page_cache  # noqa: E402
from peer import rclone_http  # noqa: E402


def make_tree(root, files, seed=1):
    """Text that compresses about as source code does, never twice the same."""
    chance = random.Random(seed)
    text = Path(__file__).read_text() * 4
    words = text.split()
    for i in range(files):
        folder = root / f"d{i // 200:04}"
        if i % 200 == 0:
            folder.mkdir(parents=True)
        size = chance.randint(1024, 8192)
        body = f"{i} {chance.random()}\n"
        while len(body) < size:
            body += " ".join(chance.choices(words, k=8)) + "\n"
        (folder / f"f{i:06}.txt").write_text(body[:size])


def read_all(folder, expected):
    """Seconds until every byte below `folder` was read; the number of bytes is checked."""
    drop_page_cache()
    start = time.monotonic()
    done = subprocess.run("tar cf - . | wc -c", shell=True, cwd=folder, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - start
    if int(done.stdout) < expected:
        raise RuntimeError(f"{folder}: only {done.stdout.strip()} of {expected} bytes")
    return seconds


def size_of(folder):
    return sum((Path(where) / name).stat().st_size for where, _, names in os.walk(folder) for name in names)


class Way:
    """How a tree is read; `times` of each round."""

    def __init__(self, name, run, share=1.0):
        self.name, self.run, self.share, self.times, self.notes = name, run, share, [], ""

    def measure(self):
        seconds, self.notes = self.run()
        self.times.append(seconds / self.share)


def lazyvol_way(arguments, url, options, files, expected, subdir=""):
    def run():
        with Mounted(arguments.build) as lazyvol:
            start = time.monotonic()
            mount = lazyvol.mount(url, options)
            mounted = time.monotonic() - start
            seconds = read_all(mount / subdir, expected)
            cpu = cpu_seconds(daemon_pids(lazyvol.cache))
            return mounted + seconds, f"mount {mounted * 1000:.0f} ms, daemon CPU {cpu / files * 1e6:.0f} us/file"
    return run


def curl_way(url):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            drop_page_cache()
            start = time.monotonic()
            subprocess.run(["curl", "-sS", "-f", "-o", f"{folder}/all", url], check=True)
            return time.monotonic() - start, ""
    return run


def rclone_way(url, subdir, expected):
    def run():
        with rclone_http(url, path=subdir) as point:
            return read_all(point, expected), ""
    return run


def casync_way(url, expected):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            point = Path(folder) / "mnt"
            point.mkdir()
            child = subprocess.Popen(["casync", "mount", f"--store={url}casync.castr", f"{url}tree.caidx", str(point)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                start = time.monotonic()
                while not os.path.ismount(point):
                    if child.poll() is not None or time.monotonic() > start + 120:
                        raise RuntimeError("casync did not mount")
                    time.sleep(0.02)
                mounted = time.monotonic() - start
                return mounted + read_all(point, expected), f"mount {mounted:.1f} s"
            finally:
                subprocess.run(["umount", str(point)])
                child.wait()
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers-files", type=int, default=400, help="files that are read where each costs round trips")
    arguments = parser.parse_args()
    lazyvol = str(Path(arguments.build) / "tools/lazyvol")
    base = Path(tempfile.mkdtemp(prefix="lazyvol-bench-"))
    base.chmod(0o755)
    try:
        served = base / "served"
        tree = served / "tree"
        tree.mkdir(parents=True)
        make_tree(tree, arguments.files)
        expected = size_of(tree)
        subprocess.run([lazyvol, "publish", str(tree), str(served / "volume"), "--state-dir", str(base / "state")],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(f"tar cf - -C {tree} . | zstd -q -3 -o {served}/tree.tar.zst", shell=True, check=True)
        part = -(-arguments.peers_files // 200)
        part_tree = served / "part"
        for i in range(part):
            shutil.copytree(tree / f"d{i:04}", part_tree / f"d{i:04}")
        share = min(1.0, part * 200 / arguments.files)
        with Served(arguments.build, served) as server, Served(arguments.build, served, "html") as for_rclone:
            server.ask(f"delay {arguments.delay}")
            for_rclone.ask(f"delay {arguments.delay}")
            url = server.relay_url
            floor = Way("curl tar.zst", curl_way(url + "tree.tar.zst"))
            ways = [floor,
                    Way("lazyvol published", lazyvol_way(arguments, url + "volume/", "", arguments.files, expected)),
                    Way("lazyvol plain web" + ("*" if share < 1 else ""),
                        lazyvol_way(arguments, url + "part/", "", part * 200, size_of(part_tree)), share)]
            if shutil.which("casync"):
                subprocess.run(["casync", "make", f"--store={served}/casync.castr", f"{served}/tree.caidx", str(tree)],
                               check=True, stdout=subprocess.DEVNULL)
                ways.append(Way("casync mount", casync_way(url, expected)))
            if shutil.which("rclone"):
                ways.append(Way("rclone mount" + ("*" if share < 1 else ""),
                                rclone_way(for_rclone.relay_url, "part", size_of(part_tree)), share))
            for missing in (name for name in ("casync", "rclone") if not shutil.which(name)):
                print(f"{missing} is not installed: not measured")
            for number in range(arguments.rounds):
                for way in ways:
                    if number and way.share < 1:
                        continue
                    way.measure()
        median = {way: statistics.median(way.times) for way in ways}
        print(f"{arguments.files} files, {expected / 1e6:.1f} MB, round trip {2 * arguments.delay} ms")
        for way in ways:
            print(f"{way.name:20} {median[way]:8.2f} s  {median[way] / median[floor]:8.1f} x curl  "
                  f"({min(way.times):.2f}..{max(way.times):.2f})  {way.notes}")
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
