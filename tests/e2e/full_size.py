#!/usr/bin/env python3
"""What the end-to-end tests show in small, at the sizes of real use: minutes and gigabytes.

  full_size.py --build DIR [--gib N]

Eight readers of one cold file; the daemon killed and started again; fio with verification, sequential and random; a
cache much smaller than what is read. Ends with "N passed, N failed"; the exit status says the same.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mounted import Mounted, Served, drop_page_cache  # noqa: E402

MIB = 1 << 20
passed, failed = [], []


def check(name, good, detail=""):
    (passed if good else failed).append(name)
    print(f"{'ok  ' if good else 'FAIL'} {name} {detail}".rstrip(), flush=True)


def make_noise(path, size):
    """Writes `size` random bytes; their digest."""
    digest = hashlib.sha256()
    with open(path, "wb") as out:
        for _ in range(size // MIB):
            block = os.urandom(MIB)
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def digest_of(path):
    with open(path, "rb", buffering=0) as file:
        digest = hashlib.sha256()
        while block := file.read(MIB):
            digest.update(block)
        return digest.hexdigest()


def disk_bytes(folder):
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def readers_and_restart(build, root, gib):
    size = gib << 30
    digest = make_noise(root / "big", size)
    with Served(build, root) as server, Mounted(build) as lazyvol:
        mount = lazyvol.mount(server.url)
        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(digest_of, [mount / "big"] * 8))
        requests, fetched = server.content()
        check(f"8 readers of one cold file of {gib} GiB read the right bytes", digests == [digest] * 8)
        check("each byte was fetched once", fetched == size and int(server.ask("repeated")) == 0,
              f"({fetched} of {size} bytes in {requests} requests)")
        time.sleep(3)  # what was stored in the last second may be lost with the daemon
        for signal, name in ((9, "killed"), (15, "ended")):
            lazyvol.stop_daemon(signal)
            drop_page_cache()
            mount = lazyvol.mount(server.url)
            good = digest_of(mount / "big") == digest
            more = server.content()[0] - requests
            check(f"after the daemon was {name}: right bytes, no request for content", good and more == 0,
                  f"({more} requests)")
    os.remove(root / "big")


def fio_verify(build, root):
    job = ["fio", "--name=v", "--numjobs=4", "--size=256m", "--bs=4k", "--verify=crc32c", "--minimal",
           "--verify_state_save=0", "--ioengine=psync", "--group_reporting"]
    subprocess.run([*job, f"--directory={root}", "--rw=write", "--do_verify=0"], check=True, capture_output=True)
    for rw in ("read", "randread"):
        with Served(build, root) as server, Mounted(build) as lazyvol:
            mount = lazyvol.mount(server.url)
            done = subprocess.run([*job, f"--directory={mount}", f"--rw={rw}", "--readonly", "--invalidate=0"],
                                  capture_output=True, text=True)
            fetched = server.content()[1]
            check(f"fio {rw}, 4 jobs, verified", done.returncode == 0 and fetched >= 1 << 30,
                  f"({fetched >> 20} MiB fetched) {done.stderr[-300:]}")
    # The check can fail: one flipped byte is found.
    with open(root / "v.0.0", "r+b") as file:
        file.seek(5 * MIB + 1000)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with Served(build, root) as server, Mounted(build) as lazyvol:
        mount = lazyvol.mount(server.url)
        done = subprocess.run([*job, f"--directory={mount}", "--rw=read", "--readonly", "--invalidate=0"],
                              capture_output=True, text=True)
        check("fio finds a byte that was flipped at the origin", done.returncode != 0)
    for path in root.glob("v.*"):
        os.remove(path)


def small_cache(build, root, gib):
    size = gib << 30
    digest = make_noise(root / "big", size)
    limit = 64 * MIB
    most, stop = [0], threading.Event()
    with Served(build, root) as server, Mounted(build) as lazyvol:
        mount = lazyvol.mount(server.url, f"cache-size={limit}")

        def watch():
            while not stop.wait(0.05):
                most[0] = max(most[0], disk_bytes(lazyvol.cache))

        watcher = threading.Thread(target=watch)
        watcher.start()
        good = digest_of(mount / "big") == digest
        stop.set()
        watcher.join()
        check(f"{gib} GiB are read right through a cache of 64 MiB", good)
        check("which keeps within its size", 0 < most[0] <= limit, f"(at most {most[0]} of {limit} bytes)")
    os.remove(root / "big")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="meson build directory")
    parser.add_argument("--gib", type=int, default=1, help="size of the large file")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="lazyvol-origin-"))
    root.chmod(0o755)
    try:
        readers_and_restart(arguments.build, root, arguments.gib)
        fio_verify(arguments.build, root)
        small_cache(arguments.build, root, 2 * arguments.gib)
    finally:
        shutil.rmtree(root)
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
