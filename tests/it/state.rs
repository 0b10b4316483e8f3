//! The same application dumps the state that it was started in, under the original and embedded: what differs is what
//! docs/compatibility.md lists, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{Stage, Way, ways};

/// What the probe reports at its second start, each value by its JSON pointer. Paths below the caches are cut to what
/// follows the entry: where a cache keeps a thing is its own business.
fn dump(way: Way, pex: &Built) -> BTreeMap<String, String> {
    let stage = Stage::new(way, pex);
    let start = || stage.start().args(["a", "b"]).env("PROBE_IMPORT", "dep");
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

/// Holds that the dumps differ in `by_design` alone. (What the host hooks into Python is the machine's matter.)
#[track_caller]
fn check(pex: &Built, by_design: &[&str]) {
    if !ways().contains(&Way::Embedded) {
        return;
    }
    let (original, embedded) = (dump(Way::Original, pex), dump(Way::Embedded, pex));
    let differ = |pointer: &&String| {
        pointer.as_str() != "/pid" && original.get(*pointer) != embedded.get(*pointer)
    };
    let pointers: BTreeSet<&String> = original.keys().chain(embedded.keys()).collect();
    let found: Vec<String> = pointers
        .into_iter()
        .filter(differ)
        .map(|pointer| {
            let of = |dump: &BTreeMap<String, String>| dump.get(pointer).cloned();
            format!("{pointer}: {:?}, {:?}", of(&original), of(&embedded))
        })
        .collect();
    let unknown: Vec<&String> = found
        .iter()
        .filter(|line| {
            let pointer = line.split(": ").next().unwrap_or_default();
            !by_design.contains(&pointer)
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

fn pex(name: &str) -> Pex {
    Pex::probe(name).dep(Wheel::new("dep", "1.0"))
}

#[test]
fn in_zipapp_mode_it_differs_where_the_documentation_says() {
    let by_design = [
        "/cmdline",
        "/env/_PEX_CACHE_ACCESS_LOCK",
        "/fds",
        "/flags/no_site",
        "/meta_path",
        "/modules",
        "/orig_argv",
        "/path",
    ];
    check(&pex("state-module").build(), &by_design);
    // Of a callable, `__main__` is the boot.
    let of_main = [
        "/main/__cached__",
        "/main/__loader__",
        "/main/__spec__/origin",
    ];
    let by_design = [&by_design[..], &of_main].concat();
    check(&pex("state-call").entry("probe:main").build(), &by_design);
}

#[test]
fn in_venv_mode_it_differs_where_the_documentation_says() {
    let by_design = ["/cmdline", "/modules", "/orig_argv", "/sys/executable"];
    check(&pex("state-venv").venv().build(), &by_design);
}
