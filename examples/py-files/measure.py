"""CPU of `import __pex__`, native and by the original's hook, in one interleaved run: measure.py ROUNDS EMBEDDED BARE."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile


def cpu(python, code, home):
    """Milliseconds of CPU, children included, of a Python that runs the code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {"HOME": home, "PATH": "/usr/bin:/bin"}
    subprocess.run([python, "-c", code], env=env, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def main():
    rounds, embedded, bare = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    imports = {name: "import sys; sys.path.insert(0, %r); import __pex__" % file for name, file in (("native", embedded), ("original", bare))}
    homes = {name: tempfile.mkdtemp() for name in imports}
    found = {"python": []}
    try:
        for _ in range(rounds):
            found["python"].append(cpu(sys.executable, "pass", homes["native"]))
            for name, code in imports.items():
                shutil.rmtree(homes[name])
                os.mkdir(homes[name])
                found.setdefault(name + " cold", []).append(cpu(sys.executable, code, homes[name]))
                found.setdefault(name + " warm", []).append(cpu(sys.executable, code, homes[name]))
    finally:
        for home in homes.values():
            shutil.rmtree(home)
    base = statistics.median(found.pop("python"))
    median = {name: statistics.median(values) - base for name, values in found.items()}
    for kind in ("cold", "warm"):
        native, original = median["native " + kind], median["original " + kind]
        print("%s: %.1f ms of CPU beyond Python's own, the original %.1f ms: %.3f" % (kind, native, original, native / original))


main()
