//! What a start costs, in counts that do not wobble as clocks do, against the budgets of `docs/specification.md`.
//!
//! The table there is what is promised *and* what is checked: each row's number is the budget. A count that exceeds it
//! fails, and so does a budget that has become too generous, so that a gain is recorded and can't be lost unseen.
//! `PEXBOOT_BUDGETS=record cargo test --test it -- budgets::` writes what was counted into the table.

pub mod instructions;
pub mod system_calls;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pexboot::internals::parts::{ENGINE, ENGINE_SIZE, STUB};
use serde_json::Value;

use crate::fixtures::{Built, PYTHON, Pex, Wheel, files_below};
use crate::harness::host::Host;
use crate::harness::{Stage, Start, Way, coverage, pythons};
use instructions::{
    CALLGRIND, collected, of_a_bare_python, of_the_stub, until_it_executes_another,
};
use system_calls::{Traced, traced, traced_on_one_processor, traced_start};

/// By so many parts of a hundred a budget may exceed what was counted.
const GENEROUS: u64 = 20;
/// What [`record`] adds, in parts of a hundred, to a count of more than [`EXACT`]: another compiler makes other code.
const SLACK: u64 = 7;
/// Counts up to here are recorded as they are.
const EXACT: u64 = 100;
/// What the design promises, however much or little is counted.
const PROMISED: &[(&str, u64)] = &[("stub bytes", 56_000), ("embedding bytes", 1_500_000)];

/// Holds a count against its budget.
#[track_caller]
fn check(name: &str, counted: u64) {
    if std::env::var_os("PEXBOOT_BUDGETS").is_some_and(|value| value == "record") {
        return record(name, counted);
    }
    let budget = budget(name);
    assert!(
        counted <= budget,
        "{name}: {counted}, the budget is {budget}; docs/specification.md says what is counted"
    );
    let generous = counted + counted * GENEROUS / 100;
    assert!(
        budget <= generous,
        "{name}: only {counted}, where the budget is {budget}: record the gain (PEXBOOT_BUDGETS=record)"
    );
}

fn specification() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/specification.md")
}

/// The row of a count: `| `name` | 1,234 | what is counted |`.
fn row<'t>(text: &'t str, name: &str) -> &'t str {
    let start = format!("| `{name}` | ");
    let mut rows = text.lines().filter(|line| line.starts_with(&start));
    let row = rows
        .next()
        .unwrap_or_else(|| panic!("docs/specification.md has no row `{name}`"));
    assert!(rows.next().is_none(), "two rows `{name}`");
    row
}

fn number(row: &str) -> &str {
    row.split('|').nth(2).unwrap_or_default().trim()
}

fn budget(name: &str) -> u64 {
    let text = fs::read_to_string(specification()).unwrap();
    let digits = number(row(&text, name)).replace(',', "");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("`{name}`: `{digits}` is no number"))
}

/// Writes a budget for what was counted.
fn record(name: &str, counted: u64) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one = WRITING.lock().unwrap();
    let text = fs::read_to_string(specification()).unwrap();
    let row = row(&text, name);
    let promised = PROMISED.iter().find(|(promised, _)| *promised == name);
    let most = promised.map_or(u64::MAX, |(_, most)| *most);
    let fresh = row.replacen(number(row), &grouped(recorded(counted).min(most)), 1);
    println!("{name}: {counted}\n{fresh}");
    fs::write(specification(), text.replace(row, &fresh)).unwrap();
}

/// The budget of a count: with a little slack, rounded up to three digits.
fn recorded(counted: u64) -> u64 {
    if counted <= EXACT {
        return counted;
    }
    let budget = counted + counted * SLACK / 100;
    let unit = 10_u64.pow(budget.ilog10() - 2);
    budget.div_ceil(unit) * unit
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[test]
fn a_recorded_budget_is_neither_exceeded_nor_too_generous() {
    assert_eq!(grouped(recorded(7)), "7");
    assert_eq!(grouped(recorded(501)), "536");
    assert_eq!(grouped(recorded(1_234_567)), "1,330,000");
    for counted in (0..2_000).chain([9_999, 10_000, 123_456_789]) {
        let budget = recorded(counted);
        assert!(
            counted <= budget && budget <= counted + counted * GENEROUS / 100,
            "{counted}"
        );
    }
}

/// The words that leave a process one processor: the first that this one may use.
pub fn one_processor() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("a list of processors");
    let first: String = allowed
        .trim()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    vec!["/usr/bin/taskset".to_owned(), "-c".to_owned(), first]
}

/// Whether what is counted here can be compared with what was recorded: the same Python, paths as long and as deep, the
/// same instructions. Notes where it can't.
fn comparable(counts: &str) -> bool {
    let (major, minor, _) = pythons::debian().version;
    let same = (major, minor) == (3, 11)
        && std::env::temp_dir() == Path::new("/tmp")
        && cfg!(target_arch = "x86_64");
    if !same {
        coverage::left_out(
            counts,
            "x86-64, Python 3.11 as /usr/bin/python3, and /tmp for TMPDIR",
        );
    }
    same
}

/// A PEX with `wheels` wheels of `files` modules each.
fn pex(wheels: usize, files: usize) -> Built {
    let wheel = |number: usize| {
        (0..files).fold(
            Wheel::empty(&format!("dep{number}"), "1.0"),
            |wheel, file| wheel.file(&format!("dep{number}/m{file}.py"), "VALUE = 1\n"),
        )
    };
    let app = Pex::app("counted", "def main():\n    pass\n");
    (0..wheels)
        .fold(app, |pex, number| pex.dep(wheel(number)))
        .build()
}

/// A machine on which the PEX has been started so often that another start changes nothing.
pub fn warmed(pex: &Built, args: &[&str]) -> Stage {
    let stage = Stage::without_hooks(Way::Embedded, pex);
    for _ in 0..3 {
        stage.start().args(args).run().ok();
    }
    stage
}

fn cold(pex: &Built) -> (Stage, Traced) {
    let stage = Stage::without_hooks(Way::Embedded, pex);
    let traced = traced_on_one_processor(&stage);
    traced.outcome.ok();
    (stage, traced.of_the_engine())
}

#[test]
fn size() {
    check("stub bytes", STUB.len() as u64);
    check("engine bytes", ENGINE.len() as u64);
    let pex = pex(3, 10);
    let stage = Stage::without_hooks(Way::Embedded, &pex);
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    check("embedding bytes", size(&stage.pex) - size(&pex.path));
}

#[test]
fn warm() {
    if !comparable("budgets: warm") {
        return;
    }
    let stage = warmed(&pex(3, 10), &[]);
    let warm = traced(&stage, &[]);
    warm.outcome.ok();
    check("warm calls", warm.calls.len() as u64 - warm.stats());
    check("warm stats", warm.stats());
    check("warm opens", warm.opens());
    check("warm bytes written", warm.bytes_written());
    check("warm instructions", of_the_stub(stage.start()));
}

/// What it costs to look at the host's hooks: a Python as Debian has it, without a hook that matters.
#[test]
fn hooks_of_a_warm_start() {
    if !comparable("budgets: hooks of a warm start") {
        return;
    }
    let mut stage = Stage::with_hooks(Way::Embedded, &pex(3, 10));
    let Some(host) = Host::new(&stage, "budgets: hooks of a warm start") else {
        return;
    };
    stage.search = host.search();
    host.install(0, &[("sitecustomize.py", "# Debian has one.\n")]);
    let count = |told: Option<&str>| {
        for _ in 0..3 {
            told_of(stage.start(), told).run().ok();
        }
        let warm = traced_start(&stage, &[], |start| told_of(start, told));
        warm.outcome.ok();
        let calls = warm.calls.len() as u64;
        let instructions = of_the_stub(told_of(stage.start(), told));
        (calls - warm.stats(), warm.stats(), instructions)
    };
    let (without, with) = (count(Some("0")), count(None));
    assert_eq!(without.0, with.0, "calls beside stat");
    check("warm stats for hooks", with.1 - without.1);
    check("warm instructions for hooks", with.2 - without.2);
}

/// The start, with a word on the host's `site` or without.
fn told_of<'a>(start: Start<'a>, told: Option<&str>) -> Start<'a> {
    match told {
        Some(told) => start.env("PEXBOOT_HOST_SITE", told),
        None => start,
    }
}

#[test]
fn each_wheel_of_a_warm_start() {
    if !comparable("budgets: a wheel of a warm start") {
        return;
    }
    let few = warmed(&pex(2, 1), &[]);
    let many = warmed(&pex(22, 1), &[]);
    let per_wheel = |few: u64, many: u64| (many - few) / 20;
    let calls = |stage| traced(stage, &[]).calls.len() as u64;
    check("warm calls a wheel", per_wheel(calls(&few), calls(&many)));
    let instructions = |stage: &Stage| of_the_stub(stage.start());
    check(
        "warm instructions a wheel",
        per_wheel(instructions(&few), instructions(&many)),
    );
    check("plan bytes", plan_size(&few));
    check(
        "plan bytes a wheel",
        per_wheel(plan_size(&few), plan_size(&many)),
    );
}

fn plan_size(stage: &Stage) -> u64 {
    let files = stage.cached_files();
    let plan = files
        .iter()
        .find(|file| file.parent().is_some_and(|above| above.ends_with("plans")))
        .expect("a plan");
    fs::metadata(stage.home().join(".cache").join(plan))
        .unwrap()
        .len()
}

/// Files and bytes of what wheels and user code contain, as they lie in the store.
fn content(stage: &Stage) -> (u64, u64) {
    let store = stage.home().join(".cache/pexboot/v2");
    let unpacked = ["wheels", "code"].map(|kind| files_below(&store.join(kind)));
    let content: Vec<PathBuf> = unpacked
        .into_iter()
        .flatten()
        .filter(|file| {
            let ours = file.extension().is_some_and(|e| e == "manifest");
            !ours
                && !file
                    .components()
                    .any(|part| part.as_os_str() == "__pycache__")
        })
        .collect();
    let size = |file: &PathBuf| fs::symlink_metadata(file).unwrap().len();
    (content.len() as u64, content.iter().map(size).sum())
}

#[test]
fn cold_start() {
    if !comparable("budgets: cold") {
        return;
    }
    let (stage, first) = cold(&pex(3, 10));
    check("cold calls", first.steady());
    check("cold opens", first.opens());
    check("cold processes", first.processes());
    let (files, bytes) = content(&stage);
    check("cold files made beside content", first.files_made() - files);
    // The engine puts itself into the root.
    let written = first.bytes_written() - bytes - ENGINE_SIZE;
    check("cold bytes written beside content", written);
}

#[test]
fn a_cold_start_on_a_machine_that_has_seen_others() {
    if !comparable("budgets: next") {
        return;
    }
    let stage = warmed(&pex(1, 1), &[]);
    stage.place(&pex(3, 10), &stage.path("work/other.pex"));
    fs::rename(stage.path("work/other.pex"), &stage.pex).unwrap();
    let next = traced_on_one_processor(&stage).of_the_engine();
    next.outcome.ok();
    check("next calls", next.steady());
    check("next processes", next.processes());
}

#[test]
fn each_file_of_a_cold_start() {
    if !comparable("budgets: a file of a cold start") {
        return;
    }
    let (_, few) = cold(&pex(1, 10));
    let (_, many) = cold(&pex(1, 110));
    // Rounded: which of two threads first needs more memory, say, makes a call more or less.
    let per_file = |count: fn(&Traced) -> u64| (count(&many) - count(&few) + 50) / 100;
    check("cold calls a file", per_file(Traced::steady));
    check("cold opens a file", per_file(Traced::opens));
    check("cold files made a file", per_file(Traced::files_made));
}

/// The engine's own work, on one processor, where the interpreter is known.
#[test]
fn instructions_of_the_engine() {
    if !comparable("budgets: engine instructions") {
        return;
    }
    let stage = warmed(&pex(1, 1), &[]);
    stage.place(&pex(3, 10), &stage.path("work/other.pex"));
    fs::rename(stage.path("work/other.pex"), &stage.pex).unwrap();
    let engines = stage.home().join(".cache/pexboot/v2/engine");
    let mut engines = files_below(&engines).into_iter();
    let engine = engines
        .find(|file| file.extension().is_none())
        .expect("the engine");
    let start = stage.start().before(one_processor()).program(engine);
    let start = start.env("_PEXBOOT_FILE", &stage.pex);
    let count = until_it_executes_another(start, &stage.path("callgrind"));
    check("engine instructions", count);
}

/// What Python does on our account: from its start to the call of the entry point, over a Python that does nothing.
#[test]
fn boot() {
    if !comparable("budgets: boot") {
        return;
    }
    let stage = warmed(&pex(3, 10), &[]);
    let start = stage.start().before(CALLGRIND).env("PYTHONHASHSEED", "0");
    let outcome = start.run();
    outcome.ok();
    let bare = of_a_bare_python(Path::new(PYTHON));
    check("boot instructions", collected(&outcome.stderr) - bare);
}

/// Which modules are there before the application is imported that a bare Python does not have: the application's start
/// is its own.
#[test]
fn modules_of_the_boot() {
    if !comparable("budgets: modules of the boot") {
        return;
    }
    let text = "import sys\nFOUND = sorted(sys.modules)\ndef main():\n    import json\n    print(json.dumps(FOUND))\n";
    let stage = warmed(&Pex::app("modules", text).build(), &[]);
    let ours: Vec<String> = serde_json::from_str(&stage.start().run().ok().stdout).unwrap();
    let bare = std::process::Command::new(PYTHON)
        .args([
            "-S",
            "-c",
            "import sys; f = sorted(sys.modules); import json; print(json.dumps(f))",
        ])
        .env_clear()
        .output()
        .unwrap();
    let bare: Value = serde_json::from_slice(&bare.stdout).unwrap();
    let bare = bare.as_array().unwrap();
    let added: Vec<&str> = ours
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "app" && !bare.iter().any(|other| other == name))
        .collect();
    assert_eq!(added.join(" "), MODULES);
}

/// `os` with what it needs and `site` for `exit` and friends, all of them frozen in 3.11; `gc`, which is built in.
const MODULES: &str =
    "_collections_abc _sitebuiltins _stat gc genericpath os os.path posixpath site stat";
