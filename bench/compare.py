#!/usr/bin/env python3
"""Runs lazyvol, its floors and its peers on the same data and writes tables and plots.

  compare.py --build DIR [--out DIR] [--quick] [SECTION…]

Sections: reads, metadata, cold, small, random, program; all unless named. Each is a command of its own under bench/, whose
words of help say what it does; this one only calls them, one after the other, keeps what each printed in OUT/data, and writes
OUT/README.md of all that are there, with a plot (SVG, by gnuplot) of those that compare. --quick takes small data, to see that
all works; its figures mean nothing.
"""

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Section: heading, what it tells, command with its words, those of --quick, whether it writes figures for a plot.
SECTIONS = {
    "reads": ("Reads of a wholly cached file", "Ratios to the local file system, medians of rounds in which all take turns.",
              ["local_reads.py"], ["--size", "64", "--rounds", "1", "--seconds", "1"], "local_reads.svg"),
    "metadata": ("Metadata of a tree that is known", "Ratios to the local file system.",
                 ["metadata.py"], ["--files", "2000", "--rounds", "1"], "metadata.svg"),
    "cold": ("A cold sequential read", "Over a link of 20 ms round trip; the whole file through a new mount.",
             ["cold_sequential.py", "--delay", "10"], ["--size", "32", "--rounds", "1"], None),
    "random": ("Cold random reads", "4 KiB each, over a link of 20 ms round trip.",
               ["cold_random.py"], ["--reads", "20", "--size", "1", "--published-size", "32"], None),
    "small": ("A cold tree of small files", "Over a link of 20 ms round trip.",
              ["published/small_files.py"], ["--files", "500"], None),
    "program": ("A program started from a cold mount", "python with 42 modules, over a link of 20 ms round trip.",
                ["program_start.py"], [], None),
}


def first_line(words):
    if not shutil.which(words[0]):
        return None
    done = subprocess.run(words, capture_output=True, text=True)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return " ".join(lines[0].split()[:2]) if lines else None  # more is what it was built with


def machine(folder):
    """What the figures depend on, as lines of a list."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = Path("/proc/cpuinfo").read_text().count("processor\t")
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1)) >> 20
    file_system = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
    facts = [f"{cores} cores ({cpu.group(1) if cpu else platform.machine()}), {memory} GiB of memory; servers, relays and readers "
             "run on them as well", f"Linux {platform.release()}, data on {file_system}"]
    peers = [first_line(words) for words in (["rclone", "version"], ["fio", "--version"], ["curl", "--version"])]
    facts.append("beside it: " + ", ".join(peer for peer in peers if peer))
    return facts


def plot(figures, path):
    """Grouped bars: each system's speed by that of the floor, which is the first."""
    floor, *others = figures
    cases = list(figures[floor])
    rows = [" ".join([f'"{case}"'] + [f"{figures[name][case] / figures[floor][case]:.4f}" for name in others]) for case in cases]
    with tempfile.NamedTemporaryFile("w", suffix=".dat") as data:
        data.write("\n".join(rows) + "\n")
        data.flush()
        bars = ", ".join(f"'{data.name}' using {i + 2}:xtic(1) title '{name}'" for i, name in enumerate(others))
        subprocess.run(["gnuplot"], input=f"""
            set terminal svg size 900,420 font 'sans-serif,12' background 'white'
            set output '{path}'
            set style data histogram
            set style histogram clustered gap 1
            set style fill solid 0.85 border -1
            set boxwidth 0.9
            set ylabel 'speed by that of the {floor}'
            set yrange [0:*]
            set xtics rotate by -25
            set grid ytics
            set key outside top center horizontal
            plot 1 with lines lc rgb 'black' title '{floor}', {bars}
            """, text=True, check=True)


def run_section(name, arguments, data):
    """Runs it and keeps what it printed."""
    _, _, words, quick, picture = SECTIONS[name]
    command = [sys.executable, str(HERE / words[0]), "--build", arguments.build, *words[1:], *(quick if arguments.quick else [])]
    print(f"== {' '.join(words)}", file=sys.stderr, flush=True)
    with tempfile.NamedTemporaryFile(suffix=".json") as figures:
        done = subprocess.run(command + (["--json", figures.name] if picture else []), stdout=subprocess.PIPE, text=True, check=True)
        kept = {"date": time.strftime("%Y-%m-%d"), "text": done.stdout.strip(),
                "figures": json.loads(Path(figures.name).read_text()) if picture else None}
    (data / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def render(name, kept, out):
    """One section of the report, as lines."""
    heading, about, words, _, picture = SECTIONS[name]
    lines = [f"## {heading}", "", f"{about} `bench/{' '.join(words)}`, {kept['date']}.", ""]
    if not picture:
        return lines + ["```", kept["text"], "```", ""]
    plot(kept["figures"], out / picture)
    return lines + [kept["text"], "", f"![{heading}]({picture})", ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", default=str(HERE.parent / "docs/benchmarks"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS])
    arguments = parser.parse_args()
    if not shutil.which("gnuplot"):
        sys.exit("compare.py: gnuplot is missing: apt-get install gnuplot-nox")
    arguments.build = str(Path(arguments.build).resolve())
    out = Path(arguments.out)
    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name in arguments.sections or SECTIONS:
        run_section(name, arguments, data)
    report = ["# Benchmarks", "", "Made by `tools/dev bench`. Ratios within one run count; the machine is shared and noisy.", ""]
    report += [f"- {fact}" for fact in machine(tempfile.gettempdir())] + [""]
    for name in SECTIONS:
        if (data / f"{name}.json").exists():
            report += render(name, json.loads((data / f"{name}.json").read_text()), out)
    (out / "README.md").write_text("\n".join(report))


if __name__ == "__main__":
    main()
