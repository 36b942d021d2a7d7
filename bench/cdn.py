#!/usr/bin/env python3
"""Two CDN edges before an origin, one of them in trouble: throughput and p99 beside the healthy case.

  cdn.py --build DIR [--files N] [--readers N]

A published volume on an nginx; before it an nginx that caches (edge 1) and a Varnish (edge 2; without one, a second
nginx). The mount names edge 1 and edge 2 as its mirror. N readers read every file once, in random order, and compare each with what was published. Then the same with edge 1 gone,
slowed to 1 KiB/s, answering 5 % with 503, answering every tenth with 429 and Retry-After, and with damaged packs; each
on a fresh mount, which the trouble befalls after a tenth of the files. The logs of all servers are searched for requests
of lazyvol's where it has no business: the origin.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from mounted import Mounted, drop_page_cache  # noqa: E402

BLOCKS = {
    "healthy": "",
    "slow": "limit_rate 1k;",
    "503": "if ($unlucky = 503) { return 503; }",
    "429": "if ($busy = 429) { return 429; }",
    "damaged": "",
    "gone": "",
}


def free_port():
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Nginx:
    def __init__(self, folder, server, http=""):
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True)
        self.http = http
        self.configure(server)
        self.process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "conf", "-e", folder / "error.log"])
        wait_for(self.port)

    def configure(self, server):
        (self.folder / "conf").write_text(
            f"daemon off; worker_processes 1; user root; pid {self.folder}/pid;\nevents {{ worker_connections 1024; }}\n"
            f"http {{ log_format short '$http_user_agent $request_method $uri $status $bytes_sent';\n"
            f"access_log {self.folder}/access.log short; sendfile on; tcp_nodelay on; keepalive_requests 100000;\n"
            f"client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2; fastcgi_temp_path {self.folder}/t3;\n"
            f"uwsgi_temp_path {self.folder}/t4; scgi_temp_path {self.folder}/t5;\n"
            f"{self.http}\nserver {{ listen 127.0.0.1:{self.port}; {server} }} }}\n")

    def reload(self, server):
        self.configure(server)
        self.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)

    def log(self):
        return (self.folder / "access.log").read_text().splitlines()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()


def wait_for(port):
    import socket
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


class Varnish:
    def __init__(self, folder, origin):
        self.port = free_port()
        folder.mkdir(parents=True)
        (folder / "vcl").write_text(f'vcl 4.1;\nbackend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}\n'
                                    "sub vcl_backend_fetch { set bereq.http.User-Agent = \"edge\"; }\n")
        self.process = subprocess.Popen(["varnishd", "-F", "-n", folder / "work", "-a", f"127.0.0.1:{self.port}", "-f",
                                         folder / "vcl", "-s", "malloc,1G"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def digests(tree):
    return {str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).digest()
            for path in sorted(tree.rglob("*")) if path.is_file()}


def read_all(point, right, readers, after_tenth):
    names = list(right)
    random.Random(5).shuffle(names)
    times, wrong, failed = [], [], []
    lock = threading.Lock()
    at = iter(range(len(names)))
    troubled = threading.Event()

    def run():
        while True:
            with lock:
                number = next(at, None)
            if number is None:
                return
            if number == len(names) // 10:
                after_tenth()
                troubled.set()
            if number > len(names) // 10:
                troubled.wait()
            start = time.monotonic()
            try:
                same = hashlib.sha256((point / names[number]).read_bytes()).digest() == right[names[number]]
                if not same:
                    wrong.append(names[number])
            except OSError as error:
                failed.append(f"{names[number]}: {error}")
            times.append((number, time.monotonic() - start, (point / names[number]).stat().st_size))

    start = time.monotonic()
    threads = [threading.Thread(target=run) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start, times, wrong, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--readers", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lazyvol-bench-") as folder:
        top = Path(folder)
        os.chmod(top, 0o755)
        tree = top / "tree"
        chance = random.Random(2)
        for i in range(arguments.files):
            path = tree / f"d{i % 30:02}/f{i:05}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(chance.randbytes(chance.choice([2_000, 20_000, 200_000, 2_000_000])))
        volume = top / "origin/volume"
        subprocess.run([f"{arguments.build}/tools/lazyvol", "publish", "--state-dir", top / "state", tree, volume],
                       check=True, capture_output=True)
        damaged = top / "damaged/volume"
        shutil.copytree(volume, damaged)
        for pack in (damaged / "packs").rglob("*"):
            if pack.is_file():
                bytes_ = bytearray(pack.read_bytes())
                for at in range(5000, len(bytes_), 50_000):
                    bytes_[at] ^= 1
                pack.write_bytes(bytes_)
        right = digests(tree)
        size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
        origin = Nginx(top / "n-origin", f"root {top}/origin;")
        cached = ("location / { " + "%s" + f" proxy_pass http://127.0.0.1:{origin.port}; proxy_cache edge; "
                  "proxy_set_header User-Agent edge; slice 1m; proxy_cache_key $uri$slice_range; "
                  "proxy_set_header Range $slice_range; proxy_http_version 1.1; "
                  "proxy_cache_valid 200 206 1h; add_header Retry-After 1 always; }")
        cache = (f"proxy_cache_path {top}/edge-cache keys_zone=edge:10m max_size=2g;\n"
                 "split_clients $request_id $unlucky { 5% 503; * 0; }\nsplit_clients $request_id $busy { 10% 429; * 0; }\n")
        varnish = shutil.which("varnishd") is not None
        edge2 = Varnish(top / "v", origin.port) if varnish else Nginx(
            top / "n-edge2", cached % "", cache.replace("edge-cache", "edge2-cache"))
        print(f"{len(right)} files, {size >> 20} MiB, {arguments.readers} readers; edge 1 nginx, edge 2 "
              f"{'Varnish' if varnish else 'nginx (varnishd is not installed)'}")
        healthy = None
        for case, block in BLOCKS.items():
            edge1 = Nginx(top / f"n-{case}", cached % "", cache.replace("edge-cache", f"edge-cache-{case}"))

            def trouble():
                if case == "gone":
                    edge1.stop()
                elif case == "damaged":
                    edge1.reload(f"root {top}/damaged;")
                elif case != "healthy":
                    edge1.reload(cached % block)

            drop_page_cache()
            with Mounted(arguments.build) as lazyvol:
                point = lazyvol.mount(f"http://127.0.0.1:{edge1.port}/volume/",
                                      f"mirror=http://127.0.0.1:{edge2.port}/volume/,prefetch=none")
                seconds, times, wrong, failed = read_all(point, right, arguments.readers, trouble)
                frames = lazyvol.status()["mounts"][0]["published"]["frames"]
            edge1.stop()
            latency = sorted(one for _, one, _ in times)
            p99 = latency[int(len(latency) * 0.99)]
            rate = size / seconds / (1 << 20)
            healthy = healthy or (rate, p99)
            print(f"{case:8} {rate:6.0f} MiB/s = {rate / healthy[0]:.2f} of healthy, p50 {statistics.median(latency) * 1000:6.1f} ms, "
                  f"p99 {p99 * 1000:7.1f} ms = {p99 / healthy[1]:5.1f} x, longest {latency[-1]:.2f} s; wrong {len(wrong)}, failed "
                  f"{len(failed)}, corrupt frames seen {frames['corrupt']}, failovers {frames['failovers']}", flush=True)
            if failed:
                print("  for one:", failed[0])
        strays = [line for line in origin.log() if line.startswith("lazyvol")]
        print(f"requests of lazyvol to the origin, which no option names: {len(strays)}")
        edge2.stop()
        origin.stop()


if __name__ == "__main__":
    main()
