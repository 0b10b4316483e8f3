"""Measures on this machine what one node pays, for simulate.py: measure.py EMBEDDED BARE CODE >figures.json

EMBEDDED and BARE are the same PEX, an interpreter; CODE is what an executor imports. Bytes and inodes are counts; CPU is
the median of interleaved starts, each of which begins with an empty cache or finds a full one.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 5


def cpu(pex, code, home):
    """Seconds of CPU of a start, children included."""
    env = {"HOME": home, "PATH": "/usr/bin:/bin", "PEX_ROOT": os.path.join(home, "root")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([pex, "-c", code], env=env, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def below(directory):
    """Bytes and inodes below the directory, each inode once."""
    seen = {}
    for where, _, files in os.walk(directory):
        for path in [where] + [os.path.join(where, name) for name in files]:
            stat = os.lstat(path)
            seen[stat.st_ino] = stat.st_size
    return sum(seen.values()), len(seen)


def packed(directory):
    """Bytes of the directory as the layer of an image."""
    tar = subprocess.Popen(["tar", "-C", directory, "-cz", "."], stdout=subprocess.PIPE)
    size = sum(len(piece) for piece in iter(lambda: tar.stdout.read(1 << 20), b""))
    tar.wait()
    return size


def main():
    files = {"embedded": sys.argv[1], "bare": sys.argv[2]}
    code = sys.argv[3]
    found = {name: {"file": os.path.getsize(pex), "first": [], "later": []} for name, pex in files.items()}
    base = []
    for _ in range(ROUNDS):
        for name, pex in files.items():
            with tempfile.TemporaryDirectory() as home:
                found[name]["first"].append(cpu(pex, code, home))
                found[name]["later"].append(cpu(pex, code, home))
                found[name]["unpacked"], found[name]["inodes"] = below(home)
                found[name]["packed"] = packed(home)
    for figures in found.values():
        for kind in ("first", "later"):
            figures[kind] = round(statistics.median(figures[kind]), 3)
    found["code"] = code
    found["load"] = round(os.getloadavg()[0], 1)
    json.dump(found, sys.stdout, indent=1)
    print()


main()
