//! The stories under `examples/`: each is one command, and this runs it. The small form belongs to every run, the full one
//! to the long tier.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fixtures::{App, Built, Pex, Wheel, spark_home};
use crate::harness::{PEXBOOT, coverage, long, long_tier, ways};

/// The directory of a story.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// The command of a story, with its PEX built already.
fn run(name: &str, pex: &Built) -> Command {
    let mut command = Command::new(place(name).join("run"));
    command
        .args((!long()).then_some("--small"))
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LANG", "C.UTF-8")
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("PEXBOOT", PEXBOOT)
        .env("EXAMPLE_PEX", &pex.path)
        .stdin(Stdio::null());
    command
}

/// Runs the story and gives what it printed.
#[track_caller]
fn tells(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{log}");
    told
}

/// An application of a lock with the story's own sources.
fn with_sources(app: &'static str, story: &str, options: &[&str]) -> Built {
    let sources = place(story).join("src");
    let own = ["-D", sources.to_str().unwrap()];
    App::new(app, &[options, &own].concat()).build()
}

/// The same, in the long tier on both Sparks, where there is a Java to run them.
#[track_caller]
fn on_sparks(command: &mut Command) -> Option<String> {
    if !long() {
        return Some(tells(command));
    }
    let homes = ["spark", "spark4"].map(|set| spark_home(set).display().to_string());
    let told = tells(command.env("EXAMPLE_SPARKS", homes.join(" ")));
    if told.contains("left out: Java 17") {
        coverage::left_out("stories on Spark", "Java 17: `./setup --spark`");
        return None;
    }
    Some(told)
}

/// Whether there is anything embedded to run.
fn embeds() -> bool {
    ways().len() > 1
}

#[test]
fn py_files() {
    if !embeds() {
        return;
    }
    let pex = with_sources("cowsay", "py-files", &["cowsay"]);
    let mut command = run("py-files", &pex);
    let Some(told) = on_sparks(&mut command) else {
        return;
    };
    let answers = told.lines().filter(|line| *line == "200").count();
    let lambda = if crate::harness::is_root() { 4 } else { 0 };
    assert_eq!(answers, 1 + lambda, "{told}");
}

#[test]
fn curator() {
    if !embeds() {
        return;
    }
    let mut command = run("curator", &App::curator().build());
    // The pinned one is of the release before.
    tells(command.env("EXAMPLE_ES", "8.19.0"));
}

#[test]
fn kubernetes() {
    if !embeds() {
        return;
    }
    let options = ["cowsay", "-e", "service:main"];
    let told = tells(&mut run(
        "kubernetes",
        &with_sources("cowsay", "kubernetes", &options),
    ));
    if crate::harness::is_root() {
        assert!(told.contains("writes: 0\n"), "{told}");
    }
}

#[test]
fn platform() {
    if !embeds() {
        return;
    }
    let mut command = run("platform", &App::new("cowsay", &["cowsay"]).build());
    let source = std::fs::read_to_string(place("platform").join("src/job.py")).unwrap();
    let job = Pex::empty("platform-job")
        .source("job.py", &source)
        .entry("job:main");
    command.env("EXAMPLE_JOB", &job.build().path);
    let other = Pex::empty("platform-other").dep(Wheel::new("cowsay", "6.0"));
    command.env("EXAMPLE_OTHER", other.build().path);
    let Some(told) = on_sparks(&mut command) else {
        return;
    };
    assert!(told.contains("\n    cowsay: 6.0 in `"), "{told}");
    assert!(
        told.contains("\nFailed to determine project name and version\n"),
        "{told}"
    );
}

/// Two Sparks, a master, workers: only the long tier starts so many Javas.
#[test]
fn spark() {
    if !embeds() || !long_tier("the Spark story") {
        return;
    }
    if let Some(told) = on_sparks(&mut run("spark", &App::spark_environment().build())) {
        assert_eq!(
            told.matches("workers of four tasks 4\n").count(),
            2,
            "{told}"
        );
        assert_eq!(
            told.matches("killed daemon [0, 1, 2, 3]\n").count(),
            2,
            "{told}"
        );
        let words = "first submit to result, s: embedded ";
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn airflow() {
    if !embeds() || !long_tier("the Airflow story") {
        return;
    }
    let told = tells(&mut run("airflow", &App::airflow().build()));
    for words in ["child: no airflow\n", "child: airflow\n"] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn inference() {
    if !embeds() || !long_tier("the inference story") {
        return;
    }
    let told = tells(&mut run("inference", &App::learn().build()));
    for (words, times) in [
        (": 42\n", 4),
        ("right answers of 150: ", 4),
        (": product [[4.0, 6.0]]\n", 4),
        ("libinner.so: cannot open shared object file\n", 2),
    ] {
        assert_eq!(told.matches(words).count(), times, "{words}\n{told}");
    }
}

/// Table and chart are what the script makes of the figures.
#[test]
fn the_page_on_scale_has_what_the_figures_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scale = root.join("benches/scale");
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("scale.svg");
    let mut simulate = Command::new(crate::fixtures::PYTHON);
    simulate
        .arg(scale.join("simulate.py"))
        .arg("--svg")
        .arg(&svg);
    let figures = std::fs::File::open(scale.join("figures.json")).unwrap();
    let told = tells(simulate.stdin(figures));
    let page = std::fs::read_to_string(root.join("docs/scale.md")).unwrap();
    assert!(page.contains(&told), "{told}");
    let drawn = |file: &Path| std::fs::read_to_string(file).unwrap();
    assert_eq!(drawn(&svg), drawn(&scale.join("scale.svg")));
}

/// Each story has a page, a command and a place in the command that runs all, and README names it.
#[test]
fn every_story_is_told() {
    let readme = include_str!("../../README.md");
    let all = std::fs::read_to_string(place("run-all")).unwrap();
    for entry in std::fs::read_dir(place("")).unwrap().flatten() {
        if entry.path().is_dir() {
            let name = entry.file_name();
            let page = entry.path().join("README.md");
            assert!(
                page.is_file() && entry.path().join("run").is_file(),
                "{name:?}"
            );
            let name = Path::new(OsStr::new(&name)).display().to_string();
            assert!(
                readme.contains(&format!("examples/{name}")),
                "README: {name}"
            );
            assert!(all.contains(&name), "run-all: {name}");
        }
    }
}
