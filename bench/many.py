#!/usr/bin/env python3
"""Memory and descriptors of the daemon after a find over a million files, and with a hundred thousand open.

  many.py --build DIR [--files N] [--open N]

The find goes over a published volume of N files in 10,000 directories (made without its files, as huge.py's), with each way
of open=; the open files are of 4 KiB, of a web directory, each read once.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from metadata import make_tree, timed  # noqa: E402
from mounted import Mounted, Served, daemon_pids  # noqa: E402


def usage(cache):
    pid = daemon_pids(cache)[0]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return (f"{int(status['VmRSS'].split()[0]) >> 10} MiB resident ({int(status['VmHWM'].split()[0]) >> 10} at most), "
            f"{len(os.listdir(f'/proc/{pid}/fd'))} descriptors")


def find_over(arguments, folder, option):
    volume = folder / "volume"
    with Served(arguments.build, volume) as server, Mounted(arguments.build) as lazyvol:
        mount = lazyvol.mount(server.url, f"refresh=never,{option}")
        print(f"{option}: mounted: {usage(lazyvol.cache)}")
        for which in ("first", "second"):
            seconds, out = timed(["find", str(mount), "-type", "f"])
            print(f"{option}: {which} find over {out.count(10)} files: {seconds:.1f} s; {usage(lazyvol.cache)}", flush=True)


def open_many(arguments, folder, option):
    root = folder / "root"
    if not root.exists():
        root.mkdir()
        make_tree(root, arguments.open)
    names = [f"d{number // 100:05}/file-{number % 100:02}.txt" for number in range(arguments.open)]
    with Served(arguments.build, root) as server, Mounted(arguments.build) as lazyvol:
        mount = lazyvol.mount(server.url, option)
        print(f"{option}: mounted: {usage(lazyvol.cache)}")
        handles = []
        for name in names:
            handle = os.open(mount / name, os.O_RDONLY)
            if len(os.read(handle, 8192)) != 4096:
                raise RuntimeError(f"{name}: short")
            handles.append(handle)
        print(f"{option}: {len(handles)} files open, read: {usage(lazyvol.cache)}")
        for handle in handles:
            os.close(handle)
        print(f"{option}: closed: {usage(lazyvol.cache)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (arguments.open + 1000, arguments.open + 1000))
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
