#!/usr/bin/env python3
"""Cold reads and walks of one kind of source: lazyvol beside its peers, in one run, through one relay.

  sources.py --build DIR --source http|sftp|s3|git [--size MIB] [--files N] [--read N] [--rounds N] [--delay MS]
             [--options OPT,…] [--only NAME,…] [--jobs large,find,cat]

A large file is read whole, a tree of small files is walked by find, and a part of it is read by cat, each on a fresh
mount; the time is from the command to mount to the last byte. The relay delays every segment by MS each way. Peers
run as they come and tuned ("sshfs x8", "rclone +"); the best of each is compared. The peer of git is a shallow clone.
s3 needs rclone to put the files into the bucket. rclone's http source reads nginx's html, lazyvol its json.
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
from mounted import Mounted, Served, ServedGit, ServedS3, ServedSftp, drop_page_cache  # noqa: E402
from peer import RCLONE, Peer  # noqa: E402


class Ours:
    def __init__(self, build, url, options):
        self.lazyvol = Mounted(build, options=options)
        self.url = url

    def __enter__(self):
        return self.lazyvol.mount(self.url)

    def __exit__(self, *_):
        self.lazyvol.__exit__()




class Http:
    peers = {
        "rclone": [],
        "rclone +": ["--vfs-cache-mode", "full", "--buffer-size", "64M", "--vfs-read-chunk-size", "32M"],
    }

    def __init__(self, arguments, root):
        self.arguments = arguments
        self.server, self.html = Served(arguments.build, root), Served(arguments.build, root, "html")
        for server in self.server, self.html:
            server.ask(f"delay {arguments.delay}")

    def way(self, name):
        if name == "lazyvol":
            return Ours(self.arguments.build, self.server.relay_url, self.arguments.options)
        return Peer(RCLONE + [f":http,url='{self.html.relay_url}':", "{point}"] + self.peers[name])

    def close(self):
        self.server.close()
        self.html.close()


class Sftp:
    peers = {
        "sshfs": [],
        "sshfs x8": ["-o", "max_conns=8"],
        "rclone": [],
        "rclone +": ["--vfs-cache-mode", "full", "--buffer-size", "64M", "--sftp-chunk-size", "255k",
                     "--sftp-concurrency", "64"],
    }

    def __init__(self, arguments, root):
        self.arguments = arguments
        self.server = ServedSftp(arguments.build, root)
        self.server.ask(f"delay {arguments.delay}")

    def way(self, name):
        url = self.server.relay_url
        if name == "lazyvol":
            return Ours(self.arguments.build, url, self.arguments.options)
        parts, keys = urlsplit(url), Path(self.server.ssh_dir)
        user = os.environ.get("USER") or subprocess.check_output(["id", "-un"], text=True).strip()
        if name.startswith("sshfs"):
            words = ["sshfs", "-f", "-p", str(parts.port), "-o", f"IdentityFile={keys}/id_ed25519", "-o",
                     f"UserKnownHostsFile={keys}/known_hosts", f"{user}@{parts.hostname}:{parts.path}", "{point}"]
        else:
            words = RCLONE + [f":sftp,host={parts.hostname},port={parts.port},user={user},"
                              f"key_file={keys}/id_ed25519,known_hosts_file={keys}/known_hosts:{parts.path}",
                              "{point}"]
        return Peer(words + self.peers[name])

    def close(self):
        self.server.close()


class S3:
    peers = {
        "s3fs": [],
        "s3fs +": ["-o", "parallel_count=32,multireq_max=64,stat_cache_expire=3600,enable_noobj_cache"],
        "rclone": [],
        "rclone +": ["--vfs-cache-mode", "full", "--buffer-size", "64M", "--vfs-read-chunk-size", "32M",
                     "--vfs-read-chunk-streams", "16", "--no-modtime"],
    }

    def __init__(self, arguments, root):
        self.arguments = arguments
        os.environ.pop("AWS_CA_BUNDLE", None)  # rclone refuses to start with it
        self.server = ServedS3(arguments.build)
        self.remote(self.server.endpoint, "copy", str(root), "--transfers", "32", "--checkers", "32")
        self.server.ask(f"delay {arguments.delay}")
        # rclone of Debian 12 does not read one file by several streams.
        known = subprocess.run(["rclone", "help", "flags"], capture_output=True, text=True).stdout
        if "--vfs-read-chunk-streams" not in known:
            plus = self.peers["rclone +"]
            at = plus.index("--vfs-read-chunk-streams")
            self.peers["rclone +"] = plus[:at] + plus[at + 2:]

    def where(self, endpoint):
        return f":s3,provider=Ceph,env_auth=true,endpoint='{endpoint}',force_path_style=true:bench"

    def remote(self, endpoint, verb, source, *words):
        subprocess.run(["rclone", "--config", "/dev/null", verb, source, self.where(endpoint), *words], check=True)

    def way(self, name):
        endpoint = self.server.relay_endpoint
        if name == "lazyvol":
            options = f"endpoint={endpoint},region=default"
            if self.arguments.options:
                options += "," + self.arguments.options
            return Ours(self.arguments.build, "s3://bench", options)
        if name.startswith("s3fs"):
            return Peer(["s3fs", "bench", "{point}", "-f", "-o", f"url={endpoint},use_path_request_style,ro"]
                        + self.peers[name],
                        {"AWSACCESSKEYID": os.environ["AWS_ACCESS_KEY_ID"],
                         "AWSSECRETACCESSKEY": os.environ["AWS_SECRET_ACCESS_KEY"]})
        return Peer(RCLONE + [self.where(endpoint), "{point}"] + self.peers[name])

    def close(self):
        self.server.close()


class Clone:
    """A shallow clone, as the other way to the files of a repository."""

    def __init__(self, url):
        self.base = Path(tempfile.mkdtemp(prefix="clone-"))
        subprocess.run(["git", "clone", "-q", "--depth", "1", url, str(self.base / "clone")], check=True)

    def __enter__(self):
        return self.base / "clone"

    def __exit__(self, *_):
        shutil.rmtree(self.base)


class Git:
    peers = {"git clone": []}

    def __init__(self, arguments, root):
        self.arguments = arguments
        git = ["git", "-C", str(root), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "files"]):
            subprocess.run(git + words, check=True)
        served = root.parent / "served"
        bare = served / "repo.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(root), str(bare)], check=True)
        for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            subprocess.run(["git", "-C", str(bare), "config", name, "true"], check=True)
        self.server = ServedGit(arguments.build, served)
        self.server.ask(f"delay {arguments.delay}")

    def way(self, name):
        url = self.server.relay_url
        return Ours(self.arguments.build, "git+" + url, self.arguments.options) if name == "lazyvol" else Clone(url)

    def close(self):
        self.server.close()


SOURCES = {"http": Http, "sftp": Sftp, "s3": S3, "git": Git}


def timed(way, words):
    """Seconds from the beginning of a mount to the end of a command in it."""
    drop_page_cache()
    start = time.monotonic()
    with way() as folder:
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
    for peer in sorted({name.split(" ")[0] for name in medians} - {"lazyvol"}):
        times = [value for name, value in medians.items() if name.startswith(peer)]
        if times and "lazyvol" in medians:
            print(f"  lazyvol is {min(times) / medians['lazyvol']:.1f} times as fast as {peer}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--source", required=True, choices=SOURCES)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--read", type=int, default=2000, help="how many small files are read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--options", default="", help="mount options for lazyvol")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--jobs", default="large,find,cat")
    arguments = parser.parse_args()
    kind = SOURCES[arguments.source]
    missing = [tool for tool in sorted({name.split()[0] for name in kind.peers}) if not shutil.which(tool)]
    for tool in missing:
        print(f"{tool} is not installed: nothing is said about it")
    names = ["lazyvol"] + [name for name in kind.peers if name.split()[0] not in missing]
    if arguments.only:
        names = [name for name in names if name in arguments.only.split(",")]
    jobs = {
        "large": (f"cold {arguments.size} MiB", ["dd", "if=large", "of=/dev/null", "bs=1M", "status=none"],
                  (arguments.size, "MiB/s")),
        "find": (f"find over {arguments.files} files", ["find", "tree", "-printf", "%s"],
                 (arguments.files, "files/s")),
        "cat": (f"cat of {arguments.read} small files",
                ["sh", "-c", f"ls -d tree/*/ | head -{arguments.read // 100} | while read d; do cat $d*; done"],
                (arguments.read, "files/s")),
    }
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        make_tree(root, arguments.size, arguments.files)
        source = kind(arguments, root)
        try:
            for what, words, unit in [jobs[job] for job in arguments.jobs.split(",")]:
                results = {name: [] for name in names}
                for _ in range(arguments.rounds):
                    for name in names:
                        results[name].append(timed(lambda: source.way(name), words))
                report(f"{arguments.source}: {what} at {2 * arguments.delay} ms round trip", results, unit)
        finally:
            source.close()


if __name__ == "__main__":
    main()
