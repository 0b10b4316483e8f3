//! Every command that README and docs/ show is run: here, by a test that is named here, or it is said why not. A block that
//! is new is listed below before this passes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::fixtures::{Pex, Wheel};
use crate::harness::{PEXBOOT, Stage, Way};

/// How a block is held to what it says.
enum Held {
    /// It is run as it stands, beside `app.pex`, the embedded `app` and `curator.pex`, a copy.
    Here,
    /// This test runs it, with what it needs.
    By(&'static str),
    /// It is not run, for this reason.
    Not(&'static str),
}

use Held::{By, Here, Not};

/// Each block, by its page and how its first line begins.
const BLOCKS: &[(&str, &str, Held)] = &[
    ("README.md", "$ pexboot embed app.pex -o app ", Here),
    (
        "README.md",
        "$ pip install pexboot",
        By("a_release_is_installed_and_used_in_clean_rooms"),
    ),
    (
        "README.md",
        "$ ./demo ",
        Not("the test is one of its two commands, and the other measures, by the network"),
    ),
    (
        "docs/cookbook.md",
        "$ pexboot strip app -o app.pex ",
        By("pex_reads_what_was_stripped_and_embedded_directories"),
    ),
    (
        "docs/cookbook.md",
        "$ pex apache-airflow",
        By("airflow_migrates_its_database_and_runs_a_dag"),
    ),
    (
        "docs/cookbook.md",
        "$ pex django",
        By("django_reloads_itself_where_it_has_a_virtual_environment"),
    ),
    (
        "docs/cookbook.md",
        "$ pex elasticsearch-curator",
        By("a_pex_built_without_compression_runs_and_is_larger"),
    ),
    (
        "docs/cookbook.md",
        "$ pexboot embed curator.pex -o curator",
        Here,
    ),
    (
        "docs/cookbook.md",
        "$ pexboot embed --python=",
        Not("the two Pythons are an example; `bytecode::` names those that are here"),
    ),
    ("docs/cookbook.md", "$ pexboot embed --record", Here),
    (
        "docs/cookbook.md",
        "$ ls tracing",
        By("a_tracer_in_the_pex_starts_before_the_application"),
    ),
    ("docs/cookbook.md", "$ PEXBOOT_TRACE=start.json", Here),
    ("docs/cookbook.md", "$ python3 -c 'import json;", Here),
    ("docs/deploying.md", "$ pexboot embed app.pex -o app", Here),
    ("docs/deploying.md", "$ pexboot venv app.pex env", Here),
    (
        "docs/deploying.md",
        "$ pex gunicorn flask",
        By("frameworks_start_their_workers_where_the_original_does"),
    ),
    (
        "docs/deploying.md",
        "$ pex jupyterlab",
        By("frameworks_start_their_workers_where_the_original_does"),
    ),
    ("docs/deploying.md", "$ pexboot info app", Here),
    (
        "docs/install.md",
        "$ pip install pexboot",
        By("a_release_is_installed_and_used_in_clean_rooms"),
    ),
    (
        "docs/install.md",
        "$ pipx install pexboot",
        By("a_release_is_installed_and_used_in_clean_rooms"),
    ),
    (
        "docs/install.md",
        "$ python3 -m venv",
        By("a_release_is_installed_and_used_in_clean_rooms"),
    ),
    (
        "docs/install.md",
        "$ cargo install",
        By("every_package_builds_from_what_it_holds"),
    ),
    (
        "docs/install.md",
        "$ pip install --upgrade",
        Not("there is no release to come from yet"),
    ),
    ("docs/install.md", "$ pexboot info app | grep", Here),
    (
        "docs/install.md",
        "$ pip uninstall",
        Not("it takes away what others use"),
    ),
    (
        "docs/install.md",
        "$ ./release",
        By("a_release_is_installed_and_used_in_clean_rooms"),
    ),
    (
        "docs/platforms.md",
        "$ ./cross ",
        Not("`.ci/run` and `./long-tests` begin with it"),
    ),
    (
        "docs/reliability.md",
        "fuzz/run",
        Not("hours; `.ci/run` has the short form"),
    ),
];

/// The blocks of commands of a page, each as its lines.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let language = line.trim_start().strip_prefix("```").unwrap_or_default();
        let inside = line.trim_start().starts_with("```");
        if inside {
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block: Vec<&str> = block.collect();
            if ["sh", "bash", "console", "shell"].contains(&language) {
                found.push(block);
            }
        }
    }
    found
}

/// What a block of a console has typed: lines behind `$ `, and those that an open quote goes on in.
fn typed(block: &[&str]) -> String {
    let mut script = String::new();
    for line in block {
        let open = script.matches('\'').count() % 2 == 1;
        match line.strip_prefix("$ ") {
            Some(command) => script += command,
            None if open => script += line,
            None => continue,
        }
        script.push('\n');
    }
    script
}

#[test]
fn every_command_of_the_documents_is_run_or_it_is_said_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec!["README.md".to_owned()];
    for page in fs::read_dir(root.join("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        pages.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    let tests = crate::fixtures::files_below(&root.join("tests/it"));
    let tests = tests.iter().map(|file| root.join("tests/it").join(file));
    let tests: String = tests
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    let main = "import dep, sys\ndef main():\n    print(dep.WHO, sys.argv[1:])\n";
    let pex = Pex::app("documents", main).dep(Wheel::new("dep", "1.0"));
    let stage = Stage::new(Way::Original, &pex.build());
    fs::copy(&stage.pex, stage.path("work/curator.pex")).unwrap();
    fs::create_dir(stage.path("bin")).unwrap();
    symlink(PEXBOOT, stage.path("bin/pexboot")).unwrap();
    let path = format!("{}:{}", stage.path("bin").display(), stage.search);
    let mut listed: BTreeMap<usize, usize> = BTreeMap::new();
    for page in pages {
        let text = fs::read_to_string(root.join(&page)).unwrap();
        for block in blocks(&text) {
            let first = block[0];
            let found = BLOCKS
                .iter()
                .position(|(of, begins, _)| *of == page && first.starts_with(begins));
            let number = found.unwrap_or_else(|| panic!("{page}: not listed: {first}"));
            *listed.entry(number).or_default() += 1;
            match &BLOCKS[number].2 {
                Here => {
                    let script = typed(&block);
                    assert!(!script.is_empty(), "{page}: {first}");
                    let run = stage.start().program("/bin/sh").env("PATH", &path);
                    let run = run.args(["-euc", &script]).run();
                    assert_eq!(run.code, Some(0), "{page}: {first}\n{run}");
                }
                By(test) => {
                    let test = format!("fn {test}(");
                    assert!(tests.contains(&test), "{page}: there is no `{test}`");
                }
                Not(why) => assert!(!why.is_empty()),
            }
        }
    }
    for (number, (page, begins, _)) in BLOCKS.iter().enumerate() {
        assert_eq!(listed.get(&number), Some(&1), "{page}: {begins}");
    }
}
