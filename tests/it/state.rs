//! The same application dumps the state that it was started in, under the original and embedded, for every kind of entry
//! point, in each layout and mode: what differs is what docs/compatibility.md lists, and nothing else; and what it lists
//! does differ somewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{Stage, Way, ways};

/// The rows of the table in docs/compatibility.md, "What an application can tell", to the letter, and what of the probe's
/// report each is about.
const DIFFERENCES: &[(&str, &[&str])] = &[
    (
        "`/proc/self/cmdline`, `sys.orig_argv`",
        &["/cmdline", "/orig_argv"],
    ),
    (
        "`sys.flags.no_site`, `sys.meta_path`",
        &["/flags/no_site", "/meta_path"],
    ),
    ("`sys.modules`", &["/modules"]),
    ("`sys.path`", &["/path"]),
    (
        "`__main__` of a callable: `__cached__`, `__loader__`, `__spec__.origin`",
        &[
            "/main/__cached__",
            "/main/__loader__",
            "/main/__spec__/origin",
        ],
    ),
    (
        "`__main__` of a callable in a loose directory: `__file__`, `__spec__`, `__package__`",
        &[
            "/main/__spec__",
            "/main/__spec__/name",
            "/main/__spec__/parent",
        ],
    ),
    // Its layout is not among these: it is handed over, as `handover::` has it.
    (
        "`sys.argv[0]` of a loose directory that is handed over (a preamble, say)",
        &[],
    ),
    (
        "`__main__` of a data script and of an interpreter: `__file__`, `__package__`",
        &["/main/__file__", "/main/__package__"],
    ),
    (
        "`PWD`, `__doc__` of a script in a venv",
        &["/env/PWD", "/main/__doc__"],
    ),
    (
        "files of a loose directory's wheels",
        &["/imports/dep/file"],
    ),
    (
        "descriptors, `_PEX_CACHE_ACCESS_LOCK`",
        &["/fds", "/env/_PEX_CACHE_ACCESS_LOCK"],
    ),
    // `checklist::started::item_102_…` has it: the locale here is another.
    ("`sys.flags.utf8_mode` in the C locale", &[]),
    ("`sys.executable` in a venv", &["/sys/executable"]),
];

/// Of these, what differs only where a package of the host adds a finder, as Debian's `python3-setuptools` does.
const ON_SOME_HOSTS: &str = "/meta_path";

/// How the probe is started.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    entry: Option<&'static str>,
    env: &'static [(&'static str, &'static str)],
    args: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "module",
        entry: Some("probe"),
        env: &[],
        args: &["a", "b"],
    },
    Kind {
        name: "callable",
        entry: Some("probe:main"),
        env: &[],
        args: &["a", "b"],
    },
    Kind {
        name: "console script",
        entry: None,
        env: &[("PEX_SCRIPT", "con")],
        args: &["a"],
    },
    Kind {
        name: "data script",
        entry: None,
        env: &[("PEX_SCRIPT", "data-script")],
        args: &["a"],
    },
    Kind {
        name: "interpreter",
        entry: None,
        env: &[],
        args: &["-c", "import probe; probe.main()", "a"],
    },
];

/// What the probe reports at its second start, each value by its JSON pointer. Paths below the caches are cut to what
/// follows the entry: where a cache keeps a thing is its own business.
fn dump(way: Way, pex: &Built, kind: Kind) -> BTreeMap<String, String> {
    let stage = Stage::new(way, pex);
    let start = || {
        let start = stage.start().args(kind.args).env("PROBE_IMPORT", "dep");
        kind.env
            .iter()
            .fold(start, |start, (name, value)| start.env(name, value))
    };
    start().run().ok();
    let state = start().run().state();
    let root = stage.root();
    let mut found = BTreeMap::new();
    flatten(&state.0, String::new(), &mut |pointer, value| {
        let text = value.to_string().replace(root.to_str().unwrap(), "[BOX]");
        found.insert(pointer, uncached(&text));
    });
    found
}

fn flatten(value: &Value, pointer: String, leaf: &mut dyn FnMut(String, &Value)) {
    match value.as_object() {
        Some(object) => {
            for (key, value) in object {
                flatten(value, format!("{pointer}/{key}"), leaf);
            }
        }
        None => leaf(pointer, value),
    }
}

fn uncached(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(at) = rest.find("[BOX]/home/.cache/") {
        let end = rest[at..]
            .find('"')
            .map_or(rest.len(), |length| at + length);
        let name = rest[at..end].rsplit('/').next().unwrap_or_default();
        out += &rest[..at];
        // A directory is named by digits of its own, a file as its author named it.
        out += if name.contains('.') { name } else { "[CACHE]" };
        rest = &rest[end..];
    }
    out + rest
}

/// Where the two dumps differ, with both values.
fn differences(pex: &Built, kind: Kind) -> BTreeMap<String, String> {
    let (original, embedded) = (
        dump(Way::Original, pex, kind),
        dump(Way::Embedded, pex, kind),
    );
    let pointers: BTreeSet<&String> = original.keys().chain(embedded.keys()).collect();
    let differ = |pointer: &&String| {
        pointer.as_str() != "/pid" && original.get(*pointer) != embedded.get(*pointer)
    };
    let differing = pointers.into_iter().filter(differ);
    differing
        .map(|pointer| {
            let values = format!("{:?}, {:?}", original.get(pointer), embedded.get(pointer));
            (pointer.clone(), values)
        })
        .collect()
}

fn pex(kind: Kind, layout: &'static str, venv: bool) -> Built {
    let name = format!("state-{}-{layout}-{venv}", kind.name.replace(' ', "-"));
    let probe = std::fs::read_to_string(crate::fixtures::sources().join("probe.py")).unwrap();
    let dep = Wheel::new("dep", "1.0")
        .entry_points("[console_scripts]\ncon = probe:main\n")
        .file_with_mode(
            "DATA/scripts/data-script",
            "#!python\nimport probe\nprobe.main()\n",
            0o755,
        );
    let mut pex = Pex::empty(&name)
        .source("probe.py", &probe)
        .dep(dep)
        .layout(layout);
    if let Some(entry) = kind.entry {
        pex = pex.entry(entry);
    }
    if venv { pex.venv() } else { pex }.build()
}

/// The first cells of the table under that heading of docs/compatibility.md.
pub fn documented(heading: &str) -> Vec<String> {
    let text = include_str!("../../docs/compatibility.md");
    let (_, table) = text.split_once(&format!("## {heading}\n")).unwrap();
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| row.split(" | ").next().unwrap_or_default().to_owned());
    cells.filter(|cell| cell != "what").collect()
}

#[test]
fn an_application_can_tell_what_the_documentation_says_and_nothing_else() {
    let named: Vec<&str> = DIFFERENCES.iter().map(|(row, _)| *row).collect();
    let documented = documented("What an application can tell");
    assert_eq!(documented, named, "docs/compatibility.md and this test");
    if ways().len() < 2 {
        return;
    }
    let allowed: Vec<&str> = DIFFERENCES
        .iter()
        .flat_map(|(_, pointers)| *pointers)
        .copied()
        .collect();
    let mut seen = BTreeSet::new();
    let mut unknown = Vec::new();
    for &kind in KINDS {
        let layouts: &[&str] = if kind.entry.is_some() {
            &["zipapp", "packed", "loose"]
        } else {
            &["zipapp"]
        };
        let modes = layouts
            .iter()
            .map(|layout| (*layout, false))
            .chain([("zipapp", true)]);
        for (layout, venv) in modes {
            for (pointer, values) in differences(&pex(kind, layout, venv), kind) {
                if !allowed.contains(&pointer.as_str()) {
                    unknown.push(format!(
                        "{}, {layout}, venv {venv}: {pointer}: {values}",
                        kind.name
                    ));
                }
                seen.insert(pointer);
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    let stale: Vec<_> = allowed
        .iter()
        .filter(|pointer| !seen.contains(**pointer) && **pointer != ON_SOME_HOSTS)
        .collect();
    assert!(stale.is_empty(), "documented, but the same: {stale:?}");
}
