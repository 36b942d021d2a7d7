#!/usr/bin/env python3
"""The start of a program from a cold mount over a slow link: without help, with a profile, with a hot pack.

  program_start.py --build DIR [--delay MS] [--rounds N]

Python and its standard library (what /usr has), behind a relay that delays each direction by MS (10: a round trip of
20 ms). The program imports some forty modules. Each time counts from the mount command to the program's end, with an
empty cache and a dropped page cache. The profile is recorded once, at a run that is not measured, and is what the
publisher makes the hot pack of. Beside it: rclone's mount, and copying everything first (rclone copy; curl of one
tar.zst).
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, Served, drop_page_cache  # noqa: E402
from peer import rclone_http  # noqa: E402

MODULES = ("argparse,asyncio,base64,bz2,collections,concurrent.futures,configparser,csv,ctypes,dataclasses,datetime,"
           "decimal,difflib,email.mime.multipart,fractions,ftplib,gzip,hashlib,html.parser,http.client,http.server,"
           "inspect,json,logging.config,lzma,multiprocessing.pool,pathlib,pickle,pprint,random,smtplib,sqlite3,ssl,"
           "statistics,subprocess,tarfile,tempfile,unittest.mock,urllib.request,uuid,xml.dom.minidom,zipfile")


def run_program(root):
    environment = {"PYTHONHOME": str(root), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run([f"{root}/bin/python3", "-S", "-c", f"import {MODULES}; print(tarfile.__file__)"],
                          env=environment, capture_output=True, text=True, check=True)
    if not done.stdout.startswith(str(root)):
        raise RuntimeError(f"not from {root}: {done.stdout}")


def make_tree(root):
    version = f"python{subprocess.check_output(['/usr/bin/python3', '-c', 'import sys; print(sys.version[:4])'], text=True).strip()}"
    (root / "bin").mkdir(parents=True)
    shutil.copy2(os.path.realpath("/usr/bin/python3"), root / "bin/python3")
    shutil.copytree(f"/usr/lib/{version}", root / "lib" / version, ignore_dangling_symlinks=True)
    for folder, _, _ in os.walk(root):  # the servers run as somebody else
        os.chmod(folder, 0o755)


def from_mount(arguments, url, options="", record=None):
    drop_page_cache()
    with Mounted(arguments.build) as lazyvol:
        start = time.monotonic()
        mount = lazyvol.mount(url, options)
        if record:
            lazyvol.run("profile", "record", mount, record, "--", sys.executable, __file__, "--run", mount)
        else:
            run_program(mount)
        return time.monotonic() - start


def from_rclone(url):
    drop_page_cache()
    start = time.monotonic()
    with rclone_http(url, "--file-perms=0555") as point:
        run_program(point)
        return time.monotonic() - start


def from_copy(words):
    drop_page_cache()
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        subprocess.run(words.replace("FOLDER", folder), shell=True, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        os.chmod(f"{folder}/bin/python3", 0o755)
        run_program(folder)
        return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build")
    parser.add_argument("--delay", type=int, default=10, help="ms each way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        return run_program(arguments.run)
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        top = Path(folder)
        os.chmod(top, 0o755)
        root = top / "served/tree"
        make_tree(root)
        profile = top / "start.profile"
        tools = Path(arguments.build) / "tools"
        subprocess.run(["tar", "-I", "zstd", "-cf", top / "served/all.tar.zst", "-C", root, "."], check=True)
        executable = "file-mode=0555"
        with Served(arguments.build, top / "served") as server, Served(arguments.build, top / "served", "html") as html:
            server.ask(f"delay {arguments.delay}")
            html.ask(f"delay {arguments.delay}")
            url = server.relay_url
            from_mount(arguments, url + "tree/", executable, record=profile)
            for name, words in (("plain", []), ("hot", ["--profile", profile])):
                subprocess.run([tools / "lazyvol", "publish", "--state-dir", top / f"state-{name}", *words, root,
                                top / "served" / name], check=True, capture_output=True)
            ways = {
                "lazyvol, web, first run": lambda: from_mount(arguments, url + "tree/", executable),
                "lazyvol, web, with the profile":
                    lambda: from_mount(arguments, url + "tree/", f"{executable},prefetch-profile={profile}"),
                "lazyvol, published": lambda: from_mount(arguments, url + "plain/"),
                "lazyvol, published, with the profile":
                    lambda: from_mount(arguments, url + "plain/", f"prefetch-profile={profile}"),
                "lazyvol, published, with the hot pack": lambda: from_mount(arguments, url + "hot/"),
                "curl of one tar.zst, unpacked": lambda: from_copy(f"curl -sSf {url}all.tar.zst | zstd -dc | tar xf - -C FOLDER"),
            }
            if shutil.which("rclone"):
                ways["rclone mount"] = lambda: from_rclone(html.relay_url + "tree/")
                ways["rclone copy, 32 at once"] = lambda: from_copy(
                    f"rclone copy :http: FOLDER --http-url={html.relay_url}tree/ --transfers 32 --checkers 32 --config=/dev/null")
            times = {name: [] for name in ways}
            for _ in range(arguments.rounds):
                for name, run in ways.items():
                    times[name].append(run())
            local = []
            for _ in range(arguments.rounds):
                drop_page_cache()
                start = time.monotonic()
                run_program(root)
                local.append(time.monotonic() - start)
            times["from the local disk"] = local
    for name, values in times.items():
        print(f"{name:40} {statistics.median(values):7.2f} s  ({min(values):.2f}..{max(values):.2f})")


if __name__ == "__main__":
    main()
