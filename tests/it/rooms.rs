//! The arrows that `docs/architecture.md` draws: which room of `src/` may import which, listed here once. A room stands
//! below all that import it, so there is no circle.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, from the ground up, and the rooms that it may import. (Everything may use `pexboot_core`.)
const ROOMS: &[(&str, &[&str])] = &[
    ("exit", &[]),
    ("lexical", &[]),
    ("regular", &[]),
    ("shown", &[]),
    ("output", &[]),
    ("packaging", &[]),
    ("plan", &[]),
    ("parts", &[]),
    ("pex_info", &[]),
    ("user", &[]),
    ("hashing", &["regular"]),
    ("pack", &["regular"]),
    ("bench", &["shown"]),
    ("trace", &["output", "shown"]),
    ("archive", &["exit", "regular", "trace"]),
    ("store", &["exit", "lexical", "regular", "user"]),
    ("boot", &["pex_info"]),
    ("variables", &["pex_info", "plan", "user"]),
    (
        "pex",
        &[
            "archive",
            "exit",
            "hashing",
            "packaging",
            "pex_info",
            "regular",
            "trace",
        ],
    ),
    (
        "interpreter",
        &[
            "boot",
            "hashing",
            "lexical",
            "packaging",
            "pex",
            "pex_info",
            "plan",
            "regular",
            "shown",
            "store",
            "trace",
            "user",
        ],
    ),
    (
        "resolve",
        &["interpreter", "packaging", "pex_info", "shown"],
    ),
    (
        "unpack",
        &[
            "archive",
            "boot",
            "exit",
            "hashing",
            "interpreter",
            "packaging",
            "pex",
            "regular",
            "resolve",
            "shown",
            "store",
            "trace",
        ],
    ),
    (
        "site",
        &["lexical", "packaging", "regular", "store", "unpack"],
    ),
    (
        "venv",
        &[
            "boot",
            "hashing",
            "interpreter",
            "packaging",
            "pex_info",
            "regular",
            "site",
            "store",
            "unpack",
        ],
    ),
    (
        "launch",
        &[
            "archive",
            "boot",
            "exit",
            "interpreter",
            "lexical",
            "packaging",
            "pex",
            "pex_info",
            "plan",
            "regular",
            "resolve",
            "shown",
            "site",
            "store",
            "trace",
            "unpack",
            "user",
            "variables",
            "venv",
        ],
    ),
    (
        "embed",
        &[
            "archive",
            "boot",
            "exit",
            "interpreter",
            "launch",
            "output",
            "pack",
            "packaging",
            "parts",
            "pex",
            "pex_info",
            "regular",
            "resolve",
            "store",
            "unpack",
        ],
    ),
    (
        "verify",
        &[
            "archive",
            "boot",
            "embed",
            "hashing",
            "interpreter",
            "launch",
            "pack",
            "pex",
            "regular",
            "resolve",
            "site",
            "store",
            "unpack",
            "venv",
        ],
    ),
    (
        "fuzzing",
        &["archive", "interpreter", "packaging", "pex", "pex_info"],
    ),
    (
        "face",
        &["embed", "exit", "launch", "parts", "pex", "verify"],
    ),
    (
        "cli",
        &[
            "archive",
            "bench",
            "embed",
            "exit",
            "launch",
            "output",
            "pack",
            "packaging",
            "parts",
            "pex",
            "regular",
            "shown",
            "store",
            "variables",
            "verify",
        ],
    ),
    (
        "internals",
        &[
            "archive",
            "bench",
            "boot",
            "cli",
            "interpreter",
            "launch",
            "parts",
            "pex",
            "pex_info",
            "resolve",
            "store",
            "unpack",
        ],
    ),
];

/// The files of `launch`, from the ground up: each may import those before it.
const LAUNCH: &[&str] = &[
    "error",
    "fact",
    "console",
    "invocation",
    "request",
    "dispatch",
    "command",
    "plans",
    "conflicts",
    "facts",
    "open",
    "advice",
    "choose",
    "served",
    "session",
    "handover",
    "host",
    "zipapp",
    "venv",
    "decide",
    "standalone",
    "replay",
    "publish",
    "hooks",
    "explain",
    "warm",
];

/// The Rust files of a room that are no tests, and what stands in them before their own tests.
fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join(format!("{room}.rs"))];
    let directory = src.join(room);
    if directory.is_dir() {
        let below = crate::fixtures::files_below(&directory).into_iter();
        files.extend(below.map(|file| directory.join(file)));
    }
    let is_source = |file: &PathBuf| {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let in_tests = file.components().any(|part| part.as_os_str() == "tests");
        name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "testing.rs" && !in_tests
    };
    files
        .into_iter()
        .filter(is_source)
        .filter_map(|file| {
            let text = fs::read_to_string(&file).ok()?;
            let own = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            Some((file, own.to_owned()))
        })
        .collect()
}

/// The names behind each `PREFIX::` in a text, those in braces too; comments left out.
fn imports(text: &str, prefix: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let names = match rest.strip_prefix('{') {
            // Each name at the first level of the braces.
            Some(list) => first_level(list),
            None => vec![rest],
        };
        for name in names {
            let name = name.trim_start();
            let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            found.push(name[..end.unwrap_or(name.len())].to_owned());
        }
    }
    found.retain(|name| !name.is_empty() && name != "self" && name != "super");
    found
}

fn first_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_room_imports_what_it_may_and_nothing_above_it() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, may) in ROOMS {
        for other in *may {
            let above = |name: &str| ROOMS.iter().position(|(room, _)| *room == name);
            assert!(
                above(room) > above(other),
                "`{room}` stands below `{other}`"
            );
        }
        let files = sources(room);
        assert!(!files.is_empty(), "no room `{room}`");
        for (file, text) in files {
            for name in imports(&text, "crate::") {
                // Items of the crate itself have no room.
                let is_room = allowed.contains_key(name.as_str());
                if is_room && name != *room && !may.contains(&name.as_str()) {
                    wrong.push(format!("{}: crate::{name}", file.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that are not drawn:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_room_is_listed() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = name.strip_suffix(".rs").unwrap_or(&name);
        let entry_point = ["lib", "main", "engine"].contains(&name);
        assert!(
            entry_point || ROOMS.iter().any(|(room, _)| *room == name),
            "`{name}` is a room that nobody has drawn"
        );
    }
}

#[test]
fn the_steps_of_a_launch_do_not_know_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for (file, text) in sources("launch") {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "mod" {
            continue;
        }
        let own = LAUNCH.iter().position(|step| *step == name);
        let own = own.unwrap_or_else(|| panic!("`{name}` is a step that nobody has drawn"));
        for import in imports(&text, "crate::launch::") {
            let step = LAUNCH.iter().position(|step| *step == import);
            if step.is_some_and(|step| step > own) {
                wrong.push(format!("{name} -> {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn core_and_stub_know_nothing_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for package in ["core", "stub"] {
        let manifest = fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        let allowed = ["pexboot-core", "rustix", "sha2", "lz4_flex"];
        for line in dependencies.lines().filter(|line| line.contains(" = {")) {
            let name = line.split(' ').next().unwrap();
            assert!(allowed.contains(&name), "{package} depends on `{name}`");
        }
    }
}
