"""What the story asks of Spark: job.py STEP..."""

import os
import signal
import sys
import time

import pandas
from pyspark import TaskContext
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

spark = SparkSession.builder.getOrCreate()
context = spark.sparkContext


def norm(number):
    import numpy

    return float(numpy.linalg.norm([number, number])), os.path.basename(os.environ["PEX"])


@pandas_udf("double")
def doubled(column: pandas.Series) -> pandas.Series:
    return column * 2


def everything():
    found = context.parallelize([3, 4], 2).map(norm).collect()
    print("rdd", [round(value, 3) for value, _ in found], sorted({pex for _, pex in found}))
    frame = spark.range(6).selectExpr("id", "id % 2 AS odd")
    totals = frame.groupBy("odd").agg({"id": "sum"}).orderBy("odd").collect()
    print("frame", [tuple(row) for row in totals])
    print("pandas udf", [row.twice for row in frame.select(doubled("id").alias("twice")).collect()])
    known = context.broadcast({"a": 1, "b": 2})
    seen = context.accumulator(0)

    def look(word):
        seen.add(1)
        return known.value[word]

    total = context.parallelize("abab", 2).map(look).sum()
    print("broadcast", total, "accumulator", seen.value)


def killed():
    def dies_once(victim):
        def task(number):
            if number == 0 and TaskContext.get().attemptNumber() == 0:
                if victim == "daemon":
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            return number

        return task

    for victim in ("worker", "daemon"):
        print("killed", victim, context.parallelize(range(4), 4).map(dies_once(victim)).collect())


def workers():
    """The processes of two jobs of two tasks each."""
    pids = set()
    for _ in range(2):
        pids.update(context.parallelize(range(2), 2).map(lambda _: (os.getcwd(), os.getpid())).collect())
    print("workers of four tasks", len(pids))


def until(holds):
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    sys.exit("waited in vain")


def allocation():
    # The driver is one of those that are counted.
    executors = lambda: context._jsc.sc().getExecutorMemoryStatus().size() - 1
    slow = lambda number: time.sleep(1) or number
    for wave in (1, 2):
        print("wave", wave, context.parallelize(range(12), 12).map(slow).sum())
        until(lambda: executors() == 0)
        print("idle: executors", executors())


def fails():
    def breaks(number):
        raise ValueError("broken on purpose")

    context.parallelize([1], 1).map(breaks).collect()


for step in sys.argv[1:]:
    globals()[step]()
spark.stop()
