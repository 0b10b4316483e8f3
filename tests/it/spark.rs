//! PySpark for real: one embedded PEX is the Python of the driver and of the executors of a small cluster.
//!
//! Half a gigabyte of wheels and a Java: of the long tier (`./setup --spark`, then `PEXBOOT_TESTS=long cargo test --test
//! it spark`). examples/spark shows the same by hand.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::fixtures::{App, sources, spark_home};
use crate::harness::{Stage, coverage, long_tier, ways};

/// A Java that Spark 3.5 runs on.
fn java() -> Option<PathBuf> {
    let homes = std::fs::read_dir("/usr/lib/jvm")
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    homes
        .filter(|home| {
            let name = home.file_name().unwrap_or_default().to_string_lossy();
            name.contains("17") && home.join("bin/java").is_file()
        })
        .min()
}

#[test]
fn spark_runs_on_an_embedded_pex() {
    if !long_tier("Spark") {
        return;
    }
    let Some(java) = java() else {
        return coverage::left_out("Spark", "Java 17: `./setup --spark`");
    };
    let pex = App::spark().build();
    let installed = spark_home("spark");
    for &way in ways() {
        let stage = Stage::named(way, &pex, "env.pex");
        // Executors work below the home of Spark: the stage gets one of its own, of links.
        let home = stage.path("spark");
        std::fs::create_dir(&home).unwrap();
        for entry in std::fs::read_dir(&installed).unwrap().flatten() {
            symlink(entry.path(), home.join(entry.file_name())).unwrap();
        }
        let output = Command::new(home.join("bin/spark-submit"))
            .args(["--master", "local-cluster[2,1,1024]"])
            .args(["--files", "env.pex"])
            .arg(sources().join("spark_job.py"))
            .current_dir(stage.path("work"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", stage.home())
            .env("TMPDIR", stage.path("tmp"))
            .env("JAVA_HOME", &java)
            .env("SPARK_HOME", &home)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("PYSPARK_PYTHON", "./env.pex")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{way:?}\n{told}\n{log}");
        let expected = "rdd [4.243, 5.657]\nworkers ['env.pex']\nudf [0.0, 2.0, 4.0, 6.0]\n";
        assert_eq!(told, expected, "{way:?}\n{log}");
    }
}
