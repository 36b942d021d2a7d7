#!/usr/bin/env python3
"""Cold reads and walks over SFTP: lazyvol beside sshfs and rclone mount, in one run, through one relay.

  sftp.py --build DIR [--size MIB] [--rounds N] [--delay MS] [--files N] [--options OPT,…] [--only NAME,…]

A large file is read whole, and a tree of small files is walked by find and read by cat, each on a fresh mount. Peers
run as they come and tuned ("sshfs x8" has eight connections, "rclone +" a cache and larger chunks); the best of each
is compared. The relay delays every segment by MS each way.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, ServedSftp, drop_page_cache  # noqa: E402

PEERS = {
    "sshfs": [],
    "sshfs x8": ["-o", "max_conns=8"],
    "rclone": [],
    "rclone +": ["--vfs-cache-mode", "full", "--buffer-size", "64M", "--sftp-chunk-size", "255k",
                 "--sftp-concurrency", "64"],
}


class Peer:
    """A mount of sshfs or rclone."""

    def __init__(self, name, server, url):
        self.base = Path(tempfile.mkdtemp(prefix="peer-"))
        self.point = self.base / "mnt"
        self.point.mkdir()
        parts, keys = urlsplit(url), Path(server.ssh_dir)
        user = os.environ.get("USER") or subprocess.check_output(["id", "-un"], text=True).strip()
        if name.startswith("sshfs"):
            words = ["sshfs", "-f", "-p", str(parts.port), "-o", f"IdentityFile={keys}/id_ed25519", "-o",
                     f"UserKnownHostsFile={keys}/known_hosts", f"{user}@{parts.hostname}:{parts.path}", str(self.point)]
        else:
            words = ["rclone", "mount", "--config", "/dev/null", "--cache-dir", str(self.base / "cache"),
                     f":sftp,host={parts.hostname},port={parts.port},user={user},key_file={keys}/id_ed25519,"
                     f"known_hosts_file={keys}/known_hosts:{parts.path}", str(self.point)]
        self.process = subprocess.Popen(words + PEERS[name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1000):
            if os.path.ismount(self.point):
                return
            time.sleep(0.01)
        raise RuntimeError(f"{name} does not mount")

    def __enter__(self):
        return self.point

    def __exit__(self, *_):
        subprocess.run(["umount", str(self.point)], check=True)
        self.process.wait()
        shutil.rmtree(self.base)


class Ours:
    def __init__(self, build, url, options):
        self.lazyvol = Mounted(build, options=options)
        self.url = url

    def __enter__(self):
        return self.lazyvol.mount(self.url)

    def __exit__(self, *_):
        self.lazyvol.__exit__()


def timed(words, folder):
    drop_page_cache()
    start = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    return time.monotonic() - start


def make_tree(root, size, files):
    with open(root / "large", "wb") as out, open("/dev/urandom", "rb") as noise:
        for _ in range(size):
            out.write(noise.read(1 << 20))
    for i in range(files):
        folder = root / "tree" / str(i // 100)
        if i % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"f{i}").write_bytes(os.urandom(4000))


def report(what, results, unit):
    medians = {name: statistics.median(values) for name, values in results.items() if values}
    print(f"{what}:")
    for name, value in medians.items():
        spread = f"{min(results[name]):.2f}..{max(results[name]):.2f}"
        print(f"  {name:10} {value:8.2f} s  ({spread})  {unit[0] / value:9.0f} {unit[1]}")
    for peer in ("sshfs", "rclone"):
        times = [value for name, value in medians.items() if name.startswith(peer)]
        if times and "lazyvol" in medians:
            print(f"  lazyvol is {min(times) / medians['lazyvol']:.1f} times as fast as {peer}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--read", type=int, default=500, help="how many small files are read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--options", default="", help="mount options for lazyvol")
    parser.add_argument("--only", default="", help="names, separated by commas")
    arguments = parser.parse_args()
    missing = [tool for tool in ("sshfs", "rclone") if not shutil.which(tool)]
    for tool in missing:
        print(f"{tool} is not installed: nothing is said about it")
    names = ["lazyvol"] + [name for name in PEERS if name.split()[0] not in missing]
    if arguments.only:
        names = [name for name in names if name in arguments.only.split(",")]
    jobs = {
        f"cold {arguments.size} MiB": (["dd", "if=large", "of=/dev/null", "bs=1M", "status=none"],
                                       (arguments.size, "MiB/s")),
        f"find over {arguments.files} files": (["find", "tree", "-printf", "%s"], (arguments.files, "files/s")),
        f"cat of {arguments.read} small files": (
            ["sh", "-c", f"ls -d tree/*/ | head -{arguments.read // 100} | while read d; do cat $d*; done"],
            (arguments.read, "files/s")),
    }
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        make_tree(root, arguments.size, arguments.files)
        with ServedSftp(arguments.build, root) as server:
            server.ask(f"delay {arguments.delay}")
            for what, (words, unit) in jobs.items():
                results = {name: [] for name in names}
                for _ in range(arguments.rounds):
                    for name in names:
                        made = (Ours(arguments.build, server.relay_url, arguments.options) if name == "lazyvol"
                                else Peer(name, server, server.relay_url))
                        with made as point:
                            results[name].append(timed(words, point))
                report(f"{what} at {2 * arguments.delay} ms round trip", results, unit)


if __name__ == "__main__":
    main()
