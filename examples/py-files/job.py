"""A Spark job whose packages come by --py-files: in the driver, and in each task."""

import __pex__

from pyspark.sql import SparkSession


def speak(number):
    import __pex__
    from pkg.handler import handler

    return handler({"text": str(number)})["statusCode"]


if __name__ == "__main__":
    spark = SparkSession.builder.getOrCreate()
    print("answers", spark.sparkContext.parallelize(range(4), 2).map(speak).collect())
