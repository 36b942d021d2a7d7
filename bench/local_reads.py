#!/usr/bin/env python3
"""Reads of one wholly cached file, as ratios to the same file on the local file system, all in one run.

  local_reads.py --build DIR [--size MIB] [--rounds N] [--seconds S] [--json FILE]

fio reads the file on the local disk, through lazyvol with passthrough and without (open=daemon), and through rclone's
mount when rclone is installed (one round of it); each in turn, N rounds. "cold": the page cache is dropped before; "warm": the same was
just read. Medians are shown, in MiB/s.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, drop_page_cache  # noqa: E402
from peer import ratio_table, rclone_http  # noqa: E402

# Name, fio's words, whether the page cache is dropped before.
CASES = [
    ("sequential 1 MiB, cold", ["--rw=read", "--bs=1M"], True),
    ("sequential 1 MiB, warm", ["--rw=read", "--bs=1M"], False),
    ("random 4 KiB, cold", ["--rw=randread", "--bs=4k"], True),
    ("random 4 KiB, warm", ["--rw=randread", "--bs=4k"], False),
    ("random 4 KiB, 4 jobs, cold", ["--rw=randread", "--bs=4k", "--numjobs=4"], True),
    ("random 4 KiB, 4 jobs, warm", ["--rw=randread", "--bs=4k", "--numjobs=4"], False),
    ("mmap sequential, cold", ["--rw=read", "--bs=1M", "--ioengine=mmap"], True),
    ("mmap sequential, warm", ["--rw=read", "--bs=1M", "--ioengine=mmap"], False),
    ("mmap random 4 KiB, cold", ["--rw=randread", "--bs=4k", "--ioengine=mmap"], True),
    ("mmap random 4 KiB, warm", ["--rw=randread", "--bs=4k", "--ioengine=mmap"], False),
]


def fio(path, words, seconds):
    """MiB/s. Random reads go on for `seconds`; a sequential one ends with the file."""
    command = ["fio", "--name=x", f"--filename={path}", "--readonly", "--invalidate=0", "--group_reporting", "--thread",
               "--output-format=json", "--randrepeat=0", f"--size={os.stat(path).st_size}"]
    if "--ioengine=mmap" not in words:
        command.append("--ioengine=psync")
    if "--rw=randread" in words:
        command += [f"--runtime={seconds}", "--time_based"]
    done = subprocess.run(command + words, check=True, capture_output=True, text=True)
    read = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["read"]
    if read["io_bytes"] == 0:
        raise RuntimeError("fio read nothing")
    return read["bw_bytes"] / (1 << 20)


def read_through(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def passthrough_ready(lazyvol, path):
    """Opens until an open is passed through: what was just stored is verified first. False when it never is."""
    for _ in range(240):
        with open(path, "rb", buffering=0) as file:
            file.read(1)
            fuse = lazyvol.status()["mounts"][0]["fuse"]
            if fuse["passed_files"]:
                return True
            if not fuse["passthrough"]:
                print("no passthrough:", fuse["passthrough_reason"], file=sys.stderr)
                return False
        time.sleep(0.25)
    return False


def measure(systems, arguments):
    """{system: {case: [MiB/s of each round]}}"""
    results = {name: {} for name in systems}
    for number in range(arguments.rounds):
        for case, words, cold in CASES:
            for name, path in systems.items():
                if name == "rclone" and number > 0:
                    continue  # an order of magnitude needs no median, and takes as much longer
                if cold:
                    drop_page_cache()
                else:
                    read_through(path)  # page cache and readahead as after a reader that has just ended
                value = fio(path, words, arguments.seconds)
                results[name].setdefault(case, []).append(value)
                print(f"round {number + 1}: {case}: {name}: {value:.0f} MiB/s", file=sys.stderr, flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--size", type=int, default=4096, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each random read")
    parser.add_argument("--json", help="write the medians there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        os.chmod(folder, 0o755)
        root = Path(folder) / "root"
        root.mkdir()
        with open(root / "large", "wb") as out, open("/dev/urandom", "rb") as noise:
            for _ in range(arguments.size):
                out.write(noise.read(1 << 20))
        os.sync()
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Served(arguments.build, root, "html"))
            passing = stack.enter_context(Mounted(arguments.build, Path(folder) / "cache"))
            daemon = stack.enter_context(Mounted(arguments.build, Path(folder) / "cache2", "open=daemon"))
            systems = {"local file system": root / "large"}
            systems["lazyvol"] = passing.mount(server.url) / "large"
            systems["lazyvol open=daemon"] = daemon.mount(server.url) / "large"
            if shutil.which("rclone"):
                systems["rclone"] = stack.enter_context(rclone_http(server.url, folder=folder)) / "large"
            for path in systems.values():
                read_through(path)
            passthrough_ready(passing, systems["lazyvol"])
            results = measure(systems, arguments)
    text, medians = ratio_table("read", "MiB/s", results, lambda rate: rate)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
