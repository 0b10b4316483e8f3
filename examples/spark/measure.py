"""Spark on the embedded file and on the bare PEX, in one interleaved run: measure.py ROUNDS EMBEDDED BARE JOB."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from glob import glob

HOME = os.environ["SPARK_HOME"]
WORKER = "import pyspark.daemon, pyspark.worker"
SUBMIT = ["--master", "local-cluster[2,1,1024]", "--conf", "spark.ui.enabled=false", "--files", "env.pex"]


def run(command, home, where, **more):
    env = dict(os.environ, HOME=home, **more)
    begun, before = time.monotonic(), os.times()
    with open(os.path.join(where, "log"), "wb") as log:
        subprocess.run(command, env=env, cwd=where, check=True, stdout=subprocess.DEVNULL, stderr=log)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - begun, cpu


def worker(pex, home, where):
    """What an executor starts: its daemon, which its workers are forked from. CPU."""
    path = ":".join(glob(HOME + "/python/lib/*.zip"))
    return run([pex, "-c", WORKER], home, where, PYTHONPATH=path)[1]


def submit(pex, home, where, job):
    """From submit to result. Seconds on the clock."""
    taken = run([HOME + "/bin/spark-submit"] + SUBMIT + [job, "everything"], home, where, PYSPARK_PYTHON="./env.pex")[0]
    shutil.rmtree(HOME + "/work", ignore_errors=True)
    return taken


def main():
    rounds, job = int(sys.argv[1]), sys.argv[4]
    files = {"embedded": sys.argv[2], "bare": sys.argv[3]}
    found = {}
    scratch = tempfile.mkdtemp()
    try:
        for at in range(rounds):
            for name, pex in files.items():
                where = os.path.dirname(pex)
                home = os.path.join(scratch, name)
                shutil.rmtree(home, ignore_errors=True)
                os.mkdir(home)
                for kind in ("first", "later"):
                    found.setdefault((kind + " submit to result, s", name), []).append(submit(pex, home, where, job))
                for _ in range(5):
                    found.setdefault(("later worker start, s of CPU", name), []).append(worker(pex, home, where))
                shutil.rmtree(home)
                os.mkdir(home)
                found.setdefault(("first worker start, s of CPU", name), []).append(worker(pex, home, where))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for what in dict.fromkeys(what for what, _ in found):
        embedded, bare = (statistics.median(found[what, name]) for name in files)
        print("%s: embedded %.2f, bare %.2f, ratio %.3f" % (what, embedded, bare, embedded / bare))


main()
