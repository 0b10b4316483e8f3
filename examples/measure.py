"""CPU of starts, embedded and by the original bootstrap, in one interleaved run: measure.py ROUNDS EMBEDDED ORIGINAL ARGUMENT...

A first start begins without a cache, a later one finds it. The environment is passed on, with a HOME of its own.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile


def cpu(command, home):
    """Milliseconds of CPU, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=dict(os.environ, HOME=home), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def main():
    rounds, files, arguments = int(sys.argv[1]), sys.argv[2:4], sys.argv[4:]
    found = {}
    for _ in range(rounds):
        for file in files:
            with tempfile.TemporaryDirectory() as home:
                # The original settles where it runs from by its second start.
                for kind in ("first", None, "later"):
                    found.setdefault((kind, file), []).append(cpu([file] + arguments, home))
    for kind in ("first", "later"):
        embedded, original = (statistics.median(found[kind, file]) for file in files)
        print("%s start: %.0f ms of CPU, the original %.0f ms: %.3f" % (kind, embedded, original, embedded / original))


main()
