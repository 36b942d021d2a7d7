"""Mounts by other programs, and how they are set beside ours. For the benches; Python's standard library only."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

RCLONE = ["rclone", "mount", "--config", "/dev/null", "--read-only", "--cache-dir", "{base}/cache"]


class Peer:
    """A mount by another program, which stays in the foreground. In its words {point} stands for the mountpoint, {base}
    for a folder of its own, which is made in `folder`."""

    def __init__(self, words, environment=None, folder=None):
        self.base = Path(tempfile.mkdtemp(prefix="peer-", dir=folder))
        self.point = self.base / "mnt"
        self.point.mkdir()
        words = [word.replace("{point}", str(self.point)).replace("{base}", str(self.base)) for word in words]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env=dict(os.environ, **(environment or {})))
        for _ in range(3000):
            if os.path.ismount(self.point):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"{words[0]} does not mount")

    def __enter__(self):
        return self.point

    def __exit__(self, *_):
        subprocess.run(["umount", str(self.point)], check=True)
        self.process.wait()
        shutil.rmtree(self.base)


def rclone_http(url, *words, path="", folder=None):
    """rclone's mount of a web directory, which keeps all that it reads in a cache of its own."""
    return Peer(RCLONE + ["--vfs-cache-mode", "full", f"--http-url={url}", f":http:{path}", "{point}", *words], folder=folder)


def ratio_table(title, unit, results, speed):
    """A table of the first system's speeds and the others' ratios to it, and the speeds. `results` holds for each system
    and case what its rounds measured, of which `speed` makes a speed of the median."""
    speeds = {name: {case: speed(statistics.median(values)) for case, values in cases.items()} for name, cases in results.items()}
    floor, *others = speeds
    lines = [f"| {title} | {floor}, {unit} | " + " | ".join(others) + " |", "|---" * (len(others) + 2) + "|"]
    for case, base in speeds[floor].items():
        lines.append(f"| {case} | {base:.0f} | " + " | ".join(f"{speeds[name][case] / base:.2f}" for name in others) + " |")
    return "\n".join(lines), speeds
