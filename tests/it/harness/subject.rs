//! The Python that a checklist item is about: each item runs on every one that is wanted, and what came of it goes into
//! the report (`target/tmp/checklist.md`; the one of record is docs/runs/checklist.md).
//!
//! The first tier takes one Python of each kind, the long tier every Python found. An item that fails on one Python is
//! still run on the others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use super::pythons::{self, Python};
use super::{Way, coverage, long};

/// How many items the checklist has.
pub const ITEMS: usize = 134;

/// What is known of the item that this thread runs.
#[derive(Default)]
struct Running {
    python: Option<&'static Python>,
    /// Whether its PEXes are started by that Python without the test's doing.
    places: bool,
    ways: BTreeSet<&'static str>,
    left_out: Vec<String>,
    no_oracle: Vec<&'static str>,
}

thread_local! {
    static RUNNING: RefCell<Running> = RefCell::default();
}

/// One line of the report: what is said of the oracle, and results by the Python's column.
type Row = (String, BTreeMap<String, String>);

/// The rows are files, one per test, so that the report can be put together from several runs; this keeps them whole.
static REPORT: Mutex<()> = Mutex::new(());

/// The Python that the running item is about; Debian's anywhere else.
pub fn subject() -> &'static Python {
    let python = RUNNING.with_borrow(|running| running.python);
    python.unwrap_or_else(|| pythons::debian())
}

/// The Python that starts every PEX of the running item, where one does.
pub(super) fn placed() -> Option<&'static Python> {
    RUNNING.with_borrow(|running| running.python.filter(|_| running.places))
}

/// Whether a checklist item is running.
pub(super) fn in_item() -> bool {
    RUNNING.with_borrow(|running| running.python.is_some())
}

/// Notes that the running item starts a PEX this way.
pub(super) fn starts(way: Way) {
    let word = match way {
        Way::Original => "original",
        Way::Embedded => "embedded",
    };
    RUNNING.with_borrow_mut(|running| running.ways.insert(word));
}

/// Notes what the running item cannot do here.
pub(super) fn left_out(missing: &str) {
    RUNNING.with_borrow_mut(|running| running.left_out.push(missing.to_owned()));
}

/// Says in one line why the original cannot serve as the oracle of the running item, or of a part of it.
pub fn no_oracle(why: &'static str) {
    RUNNING.with_borrow_mut(|running| {
        if !running.no_oracle.contains(&why) {
            running.no_oracle.push(why);
        }
    });
}

/// Runs an item on every Python that is wanted: it is the one that the shebang lines of its PEXes name.
#[track_caller]
pub fn on_each(item: impl Fn()) {
    run(true, item);
}

/// The same for an item that is about the choice of a Python: it builds everything around [`subject`] itself.
#[track_caller]
pub fn about_each(item: impl Fn()) {
    run(false, item);
}

#[track_caller]
fn run(places: bool, item: impl Fn()) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let mut failure = None;
    for python in wanted(&name) {
        RUNNING.set(Running {
            python: Some(python),
            places,
            ..Running::default()
        });
        let result = catch_unwind(AssertUnwindSafe(&item));
        let ran = RUNNING.take();
        if given().is_none() {
            record(&name, python, &ran, result.is_ok());
        }
        if let Err(panic) = result {
            eprintln!("{name} failed on {python:?}");
            failure.get_or_insert(panic);
        }
    }
    if let Some(panic) = failure {
        resume_unwind(panic);
    }
}

/// The Python that `PEXBOOT_PYTHON` names: items run on it alone, and the report has no column for it.
fn given() -> Option<&'static Python> {
    static GIVEN: OnceLock<Option<Python>> = OnceLock::new();
    let given = GIVEN.get_or_init(|| {
        let path = std::env::var_os("PEXBOOT_PYTHON")?;
        Some(pythons::identify(Path::new(&path)).expect("PEXBOOT_PYTHON names no Python"))
    });
    given.as_ref()
}

/// In the first tier Debian's CPython, for every eighth item PyPy too, which takes as long as all the others together; in
/// the long tier every Python.
fn wanted(item: &str) -> Vec<&'static Python> {
    if let Some(given) = given() {
        return vec![given];
    }
    if long() {
        return pythons::all().iter().collect();
    }
    let number = item.split("::item_").nth(1);
    let number = number.and_then(|rest| rest.split('_').next()?.parse::<usize>().ok());
    let pypy = number.is_none_or(|number| number.is_multiple_of(8));
    let pypy = pypy.then(|| pythons::pypy("the checklist on PyPy"));
    [Some(pythons::debian()), pypy.flatten()]
        .into_iter()
        .flatten()
        .collect()
}

fn column(python: &Python) -> String {
    let (major, minor, patch) = python.version;
    let name = match python.implementation.as_str() {
        "pypy" => "PyPy",
        _ => "CPython",
    };
    format!("{name} {major}.{minor}.{patch}")
}

fn record(name: &str, python: &Python, ran: &Running, passed: bool) {
    let _whole = REPORT.lock().unwrap();
    let file = rows().join(format!("{}.json", name.replace("::", ".")));
    fs::create_dir_all(rows()).unwrap();
    let read = |file: &Path| -> Option<Row> { serde_json::from_slice(&fs::read(file).ok()?).ok() };
    let mut row = read(&file).unwrap_or_default();
    let result = match (passed, ran.left_out.as_slice()) {
        (false, _) => "FAILED".to_owned(),
        (true, []) => "ok".to_owned(),
        (true, [missing, ..]) if ran.ways.is_empty() => format!("needs {missing}"),
        (true, [missing, ..]) => format!("ok, but for what needs {missing}"),
    };
    row.0 = match (ran.ways.contains("original"), ran.no_oracle.as_slice()) {
        (true, []) => "original".to_owned(),
        (true, why) => format!("original, but {}", why.join("; ")),
        (false, why) => format!("none: {}", why.join("; ")),
    };
    row.1.insert(column(python), result);
    fs::write(&file, serde_json::to_vec(&row).unwrap()).unwrap();
    let report = crate::fixtures::files_below(&rows())
        .into_iter()
        .filter_map(|file| {
            let name = file.file_stem()?.to_str()?.replace('.', "::");
            Some((name, read(&file)?))
        });
    fs::write(rows().with_extension("md"), render(&report.collect())).unwrap();
    coverage::note(&format!("checklist: items run on {}", column(python)));
}

/// Where the rows are; the report stands beside them.
fn rows() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("checklist")
}

/// The report so far.
fn render(report: &BTreeMap<String, Row>) -> String {
    let columns: Vec<String> = pythons::all().iter().map(column).collect();
    let mut columns: Vec<&String> = columns.iter().collect();
    columns.sort_by_key(|column| {
        let number = |part: &str| part.parse::<u32>().unwrap_or_default();
        let version: Vec<u32> = column
            .rsplit(' ')
            .next()
            .map(|version| version.split('.').map(number).collect())
            .unwrap_or_default();
        (column.starts_with("PyPy"), version)
    });
    let mut text = String::from(
        "# The conformance checklist, as it was run\n\n\
         Written by the tests themselves: `./long-tests --checklist` runs every item on every Python found and puts the\n\
         report here. Each test starts the PEX by its own bootstrap and embedded, and holds both to one expectation or\n\
         compares the two; \"oracle\" says so, or why the original cannot be asked.\n\n",
    );
    let _ = writeln!(
        text,
        "| item | test | oracle | {} |",
        columns
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .join(" | ")
    );
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(columns.len()));
    for item in 1..=ITEMS {
        let key = format!("::item_{item:02}_");
        let mut rows = report
            .iter()
            .filter(|(name, _)| name.contains(&key))
            .peekable();
        if rows.peek().is_none() {
            let _ = writeln!(
                text,
                "| {item} | not run | | {} |",
                " |".repeat(columns.len() - 1)
            );
        }
        for (name, row) in rows {
            let name = name.trim_start_matches("checklist::");
            let result = |column: &&String| {
                let found = row.1.get(*column);
                found.map_or("not run", String::as_str)
            };
            let results: Vec<&str> = columns.iter().map(result).collect();
            let _ = writeln!(
                text,
                "| {item} | `{name}` | {} | {} |",
                row.0,
                results.join(" | ")
            );
        }
    }
    text
}
