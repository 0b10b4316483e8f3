//! The house rules that a machine can hold: what may stand in a file, how it begins, how long it gets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files that may be longer than [`LONGEST`], with the reason.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[(
    "src/archive/tests.rs",
    "every way in which a zip can lie, on one table of shapes",
)];

/// No Rust file has more lines; above some 400, look for the second subject.
const LONGEST: usize = 600;

/// The files that belong to the project: what git tracks and what is about to be added, with their text.
fn files(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output();
    let listed: Vec<PathBuf> = match output {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout)
            .unwrap()
            .split_terminator('\0')
            .map(PathBuf::from)
            .collect(),
        // A copy of the sources without a repository.
        _ => crate::fixtures::files_below(root)
            .into_iter()
            .map(|file| file.strip_prefix(root).unwrap().to_path_buf())
            .filter(|file| !file.starts_with("target") && !file.starts_with(".git"))
            .collect(),
    };
    let wanted = |file: &PathBuf| {
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        extensions.is_empty() || extensions.contains(&extension.as_ref())
    };
    let mut found = Vec::new();
    for file in listed.into_iter().filter(wanted) {
        // Deleted, or not text.
        if let Ok(text) = fs::read_to_string(root.join(&file)) {
            found.push((file, text));
        }
    }
    assert!(!found.is_empty(), "no files with {extensions:?}");
    found
}

/// Fails with one line per offence: file, line number, line.
#[track_caller]
fn check(extensions: &[&str], rule: &str, offends: impl Fn(&Path, &str) -> bool) {
    let mut offences = Vec::new();
    for (file, text) in files(extensions) {
        for (number, line) in text.lines().enumerate() {
            if offends(&file, line) {
                offences.push(format!(
                    "{}:{}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// This file names what it forbids.
fn is_this_file(file: &Path) -> bool {
    file.ends_with("tidy.rs")
}

#[test]
fn no_test_is_ignored() {
    check(
        &["rs"],
        "a test that is never run is no test",
        |file, line| !is_this_file(file) && line.trim_start().starts_with("#[ignore"),
    );
}

#[test]
fn nothing_is_left_to_do() {
    check(&["rs", "py"], "unfinished", |file, line| {
        let marks = ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX", "dbg!("];
        !is_this_file(file) && marks.iter().any(|mark| line.contains(mark))
    });
}

#[test]
fn nothing_prints_past_the_filter() {
    check(
        &["rs"],
        "a full stream ends it, and it shows what a file says: use `output::stdout` or `launch::complain`",
        |file, line| {
            let macros = ["println!(", "eprintln!(", "print!(", "eprint!("];
            // The first prints to a terminal alone.
            let excused = ["src/store/patience.rs", "src/store/tests"];
            let is_ours =
                file.starts_with("src") && !excused.iter().any(|one| file.starts_with(one));
            is_ours && macros.iter().any(|name| line.contains(name))
        },
    );
}

#[test]
fn tests_do_not_sleep() {
    check(
        &["rs"],
        "wait for a condition, with a bound",
        |file, line| {
            let in_tests = file.starts_with("tests") || file.ends_with("tests.rs");
            in_tests && !is_this_file(file) && line.contains("thread::sleep")
        },
    );
}

/// A pipe under a name that somebody else has given, or put there, would hold the reader up for ever.
#[test]
fn files_are_opened_by_the_one_that_looks_what_they_are() {
    let excused = [
        "src/regular.rs",
        "src/bench",
        "src/cli/demo",
        "src/embed/output.rs",
    ];
    for (file, text) in files(&["rs"]) {
        let tests = file.components().any(|part| part.as_os_str() == "tests");
        let named = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .ends_with("tests");
        if !file.starts_with("src")
            || tests
            || named
            || excused.iter().any(|name| file.starts_with(name))
        {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let offence = code.lines().find(|line| {
            let calls = ["File::open(", "fs::read(", "fs::read_to_string("];
            // The system's own, and what is opened as a directory.
            let known = ["/proc/self/exe", "File::open(root)"];
            calls.iter().any(|call| line.contains(call))
                && !known.iter().any(|name| line.contains(name))
        });
        assert_eq!(
            offence,
            None,
            "{}: `regular::open` and its kin read files",
            file.display()
        );
    }
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    let mut silent = Vec::new();
    for (file, text) in files(&["rs"]) {
        if !text.starts_with("//!") {
            silent.push(file.display().to_string());
        }
    }
    assert!(
        silent.is_empty(),
        "no `//!` paragraph at the head of:\n{}",
        silent.join("\n")
    );
}

#[test]
fn no_file_has_two_subjects() {
    let mut long = Vec::new();
    for (file, text) in files(&["rs"]) {
        let excused = LONG_FOR_A_REASON
            .iter()
            .any(|(name, _)| file == Path::new(name));
        let lines = text.lines().count();
        if lines > LONGEST && !excused {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines:\n{}",
        long.join("\n")
    );
    for (name, reason) in LONG_FOR_A_REASON {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(),
            "{name} ({reason}) is gone"
        );
    }
}

#[test]
fn no_package_index_is_named() {
    // pip and cargo are configured on the machine; a choice made in a script would bypass that.
    check(
        &["rs", "py", "toml", "sh", "txt", ""],
        "chooses a package index",
        |file, line| {
            let options = ["--index-url", "--extra-index-url", "--registry"];
            !is_this_file(file) && options.iter().any(|option| line.contains(option))
        },
    );
}

#[test]
fn no_path_of_one_machine_is_named() {
    check(&[], "a path of somebody's machine", |file, line| {
        !is_this_file(file)
            && ["/root/", "/home/", "/work/"]
                .iter()
                .any(|path| names_a_machine(line, path))
    });
}

/// `"/work/x"`, but not `BOX/work/x` nor `/home/` as a word of a sentence.
fn names_a_machine(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let starts_there = before.is_none_or(|c| c.is_whitespace() || "\"'=(`".contains(c));
        let made_up = ["/home/me", "/home/other", "/home/u"].iter().any(|user| {
            line[at..]
                .strip_prefix(user)
                .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        });
        starts_there && !made_up && after.is_some_and(char::is_alphanumeric)
    })
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut dead = Vec::new();
    for (file, text) in files(&["md"]) {
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if target.is_empty() || elsewhere {
                continue;
            }
            let directory = root.join(&file).parent().unwrap().to_path_buf();
            if !directory.join(target).exists() {
                dead.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn every_item_of_the_checklist_has_a_test() {
    let all: String = files(&["rs"])
        .into_iter()
        .filter(|(file, _)| file.starts_with("tests/it/checklist"))
        .map(|(_, text)| text)
        .collect();
    let missing: Vec<u32> = (1..=98)
        .filter(|number| !all.contains(&format!("fn item_{number:02}_")))
        .collect();
    assert!(missing.is_empty(), "items without a test: {missing:?}");
}

#[test]
fn every_pin_has_a_hash() {
    check(&["txt"], "a pin without a hash", |file, line| {
        file.starts_with("tests/fixtures/locks")
            && !line.starts_with('#')
            && !(line.contains("==") && line.contains("--hash=sha256:"))
    });
}

#[test]
fn the_checklist_report_of_record_is_whole() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runs/checklist.md");
    let report = fs::read_to_string(file).expect("`./long-tests --checklist` writes it");
    for item in 1..=crate::harness::subject::ITEMS {
        let row = report
            .lines()
            .find(|line| line.starts_with(&format!("| {item} |")));
        let row = row.unwrap_or_else(|| panic!("no item {item}"));
        let test = row.split('`').nth(1).unwrap_or_default();
        let function = test.rsplit("::").next().unwrap_or_default();
        let there = files(&["rs"])
            .iter()
            .any(|(_, text)| text.contains(&format!("fn {function}()")));
        assert!(there, "no such test: {row}");
        assert!(!row.contains("not run") && !row.contains("FAILED"), "{row}");
    }
}

/// A package in a registry is found by its version, so the manifest repeats it for our own two.
#[test]
fn there_is_one_version() {
    let manifest = include_str!("../../Cargo.toml");
    let version = env!("CARGO_PKG_VERSION");
    assert!(manifest.contains(&format!("\nversion = \"{version}\"\n")));
    for package in ["core", "stub"] {
        let line =
            format!("pexboot-{package} = {{ path = \"{package}\", version = \"={version}\" }}\n");
        assert!(manifest.contains(&line), "no line `{line}`");
    }
}
