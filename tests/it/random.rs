//! Random PEXes: the original and pexboot must agree on what is active and on what the application sees.
//!
//! Seeds are fixed in the first tier, so that it says the same everywhere, and new in the long one; a failure names its
//! seed, and `PEXBOOT_SEED` runs that one again.

use std::path::Path;

use pexboot::internals::interpreter::Record;
use pexboot::internals::pex_info::PexInfo;
use pexboot::internals::resolve::{ResolveError, resolve};
use serde_json::{Value, json};

use crate::fixtures::{Pex, Wheel, random_resolves};
use crate::harness::{Case, State, coverage, long, pythons};

/// A sequence of numbers that a seed decides (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }
}

/// The seeds of this run: `count` of them, or the one that was asked for.
fn seeds(case: &str, count: u64) -> Vec<u64> {
    let seeds = match std::env::var("PEXBOOT_SEED") {
        Ok(seed) => vec![seed.parse().expect("PEXBOOT_SEED is a number")],
        Err(_) if long() => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let first = now.unwrap().as_secs();
            (first..first + 20 * count).collect()
        }
        Err(_) => (1..=count).collect(),
    };
    let (first, last) = (seeds[0], seeds[seeds.len() - 1]);
    coverage::note(&format!("random: {case}, seeds {first} to {last}"));
    seeds
}

#[test]
fn the_resolve_of_random_pexes_agrees() {
    for seed in seeds("resolves", 2) {
        let scratch = tempfile::tempdir().unwrap();
        let text = random_resolves(seed, 300, scratch.path());
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        for (index, case) in lines.enumerate() {
            let record = record(&case["interpreter"]);
            let Some(theirs) = case["answer"].as_object() else {
                continue;
            };
            let ours = answer(&case, &record);
            let theirs = Value::Object(theirs.clone());
            assert!(
                agree(&ours, &theirs),
                "PEXBOOT_SEED={seed}, PEX {index}\n{:#}\noriginal {theirs:#}\nours {ours:#}",
                json!({"info": case["info"], "metadata": case["metadata"], "markers": case["interpreter"]["markers"]})
            );
        }
    }
}

/// The interpreter that the oracle resolved for.
fn record(said: &Value) -> Record {
    let texts = |key: &str| {
        let list = said[key].as_array().unwrap().iter();
        list.map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let number = |index: usize| u32::try_from(said["version"][index].as_u64().unwrap()).unwrap();
    Record {
        binary: said["binary"].as_str().unwrap().into(),
        implementation: "cpython".to_owned(),
        version: (number(0), number(1), number(2)),
        tags: texts("tags"),
        markers: said["markers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        ..Record::default()
    }
}

/// Our answer, in the oracle's form.
fn answer(case: &Value, record: &Record) -> Value {
    let info = PexInfo::parse(case["info"].to_string().as_bytes()).unwrap();
    let label = case["label"].as_str().unwrap();
    let found = resolve(&info, info.ignore_errors, record, label, &mut |wheel| {
        let metadata = case["metadata"][wheel].as_str().unwrap();
        Ok(metadata.as_bytes().to_vec())
    });
    match found {
        Ok(wheels) => {
            json!({"wheels": wheels.iter().map(|wheel| &wheel.name).collect::<Vec<_>>()})
        }
        Err(ResolveError::Bad { message }) => json!({ "bad": message }),
        Err(error) => json!({ "failed": error.to_string() }),
    }
}

/// Whether two answers are one: wheels in order, messages to the letter. What the original refuses with a traceback is
/// to be refused, in words of our own; and it lists a wheel's tags in no particular order.
fn agree(ours: &Value, theirs: &Value) -> bool {
    if let (Some(ours), Some(theirs)) = (ours["failed"].as_str(), theirs["failed"].as_str()) {
        return sorted_tags(ours) == sorted_tags(theirs);
    }
    if ours["bad"].is_string() {
        return theirs["bad"].is_string();
    }
    ours == theirs
}

fn sorted_tags(message: &str) -> String {
    let lines = message.lines().map(|line| {
        let Some((before, rest)) = line.split_once("The wheel tags for ") else {
            return line.to_owned();
        };
        let (Some((name, _)), Some((_, after))) =
            (rest.split_once(" are "), rest.split_once(" which "))
        else {
            return line.to_owned();
        };
        let tags = &rest[name.len() + " are ".len()..rest.len() - after.len() - " which ".len()];
        let mut tags: Vec<&str> = tags.split(", ").collect();
        tags.sort_unstable();
        format!("{before}{name}: {}: {after}", tags.join(", "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Modules that a random PEX may have, from wherever.
const MODULES: [&str; 6] = ["one", "two", "three", "four", "cgi", "shared.part"];

/// Names of projects as their wheels spell them, and as others may.
const PROJECTS: [[&str; 2]; 5] = [
    ["w0", "W0"],
    ["w1", "w1"],
    ["W2.x", "w2-X"],
    ["w3_y", "W3.y"],
    ["w4-z-z", "w4_z.Z"],
];

const VERSIONS: [&str; 10] = [
    "1.0",
    "2.0",
    "1.0",
    "2.0",
    "2.0rc1",
    "3.0.dev1",
    "1.0.post1",
    "1.0+local.1",
    "1!0.5",
    "1.10",
];

const SPECIFIERS: [&str; 12] = [
    "", "", "", "[more]", ">=1", "<2", "===1.0", "==1.*", "~=1.0", "!=2.0", "==1.0", ">=1!0",
];

/// Markers, each true on some Pythons and false on others, or never.
const MARKERS: [&str; 16] = [
    "",
    "",
    "",
    "; extra == 'more'",
    "; python_version >= '3'",
    "; python_version < '3.10'",
    "; python_version in '3.8 3.9 3.11'",
    "; python_full_version >= '3.11.3'",
    "; sys_platform == 'win32'",
    "; os_name == 'posix' and (extra == 'more' or python_version > '3.11')",
    "; platform_python_implementation == 'PyPy'",
    "; implementation_name != 'pypy'",
    "; implementation_version >= '3.9'",
    "; platform_machine in 'x86_64 aarch64'",
    "; platform_release >= '1'",
    "; platform_system == 'Linux' or platform_version == ''",
];

/// A PEX of some wheels that require each other, with an entry of some kind and some settings.
fn random_pex(seed: u64, random: &mut Random) -> Pex {
    let mut pex = Pex::probe(&format!("random-{seed}"));
    let count = 1 + random.below(PROJECTS.len());
    for [name, _] in &PROJECTS[..count] {
        let mut versions: Vec<&str> = Vec::new();
        for _ in 0..1 + random.below(3) {
            let version = random.pick(&VERSIONS);
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        for version in versions {
            let who = format!("WHO = '{name} {version}'\n");
            let mut wheel = Wheel::empty(name, version);
            for _ in 0..1 + random.below(3) {
                let module = random.pick(&MODULES).replace('.', "/");
                let below = if random.one_in(4) {
                    "DATA/platlib/"
                } else {
                    ""
                };
                let file = format!("{below}{module}.py");
                wheel = wheel.only_file(&file, &who);
            }
            if random.one_in(3) {
                wheel = wheel.tag(random.pick(&[
                    "py2.py3-none-any",
                    "cp399-cp399-any",
                    "py38-none-any",
                    "py30.cp399-none-any",
                ]));
            }
            if random.one_in(4) {
                wheel = wheel.build_tag(random.pick(&["1", "2", "10_x"]));
            }
            if random.one_in(5) {
                wheel = wheel.metadata(random.pick(&[
                    "Requires-Python: >=3.8,<4",
                    "Requires-Python: >=3.12",
                    "Requires-Python: !=3.11.*",
                ]));
            }
            for _ in 0..random.below(3) {
                let mut requirement = random.pick(&PROJECTS[..count])[random.below(2)].to_owned();
                requirement += random.pick(&SPECIFIERS);
                requirement += random.pick(&MARKERS);
                wheel = wheel.requires(&requirement);
            }
            pex = pex.wheel(wheel);
        }
    }
    for _ in 0..1 + random.below(3) {
        let project = random.pick(&PROJECTS[..count])[random.below(2)];
        let rest = random.pick(&[
            "",
            "",
            "[more]",
            "[more]",
            ">=0",
            "; python_version >= '3.9'",
        ]);
        pex = pex.requires(&format!("{project}{rest}"));
    }
    if random.one_in(6) {
        let rest = random.pick(&["", "<2", ">=1"]);
        pex = pex.info("excluded", json!([format!("{}{rest}", PROJECTS[0][1])]));
    }
    if random.one_in(6) {
        pex = pex.info(
            "overridden",
            json!([format!("{}=w0", PROJECTS[count - 1][1])]),
        );
    }
    if random.one_in(3) {
        pex = pex.source("one.py", "WHO = 'code'\n");
    }
    if random.one_in(2) {
        pex = pex.info("ignore_errors", true);
    }
    pex = match random.below(4) {
        0 => pex.entry("probe:main"),
        1 => pex.entry("probe"),
        2 => pex.info("inherit_path", "fallback"),
        _ => pex.info("inherit_path", "prefer"),
    };
    if random.one_in(4) {
        pex = pex.venv();
    }
    if random.one_in(3) {
        pex = pex.info("inject_env", json!({"INJECTED": "yes"}));
        pex = pex.info("inject_args", json!(["--injected", "{pex.env.HOME}"]));
    }
    if random.one_in(4) {
        pex = pex.info("strip_pex_env", false);
    }
    pex.layout(random.pick(&["zipapp", "zipapp", "packed", "loose"]))
}

/// What a random start does not choose with its PEX: a member of PEX_PATH, the Python.
fn with_company<'p>(seed: u64, random: &mut Random, scratch: &Path, case: Case<'p>) -> Case<'p> {
    let mut case = case;
    if random.one_in(3) {
        let name = format!("member-{seed}");
        let mut member = Pex::empty(&name).source("two.py", "WHO = 'member'\n");
        let wheel = Wheel::empty("company", "1.0").file("three.py", "WHO = 'company'\n");
        member = member.dep(wheel).dep(Wheel::new("w0", "3.0"));
        let member = member.build_in(scratch);
        case = case.with(move |start, stage| {
            let place = stage.path("work/member.pex");
            if !place.exists() {
                stage.place(&member, &place);
            }
            start.env("PEX_PATH", "member.pex")
        });
    }
    if random.one_in(3) {
        let all = pythons::all();
        let python = &all[random.below(all.len())];
        // Of the two ways to name one.
        case = match random.below(2) {
            0 => case.env("PEX_PYTHON", python.path.to_str().unwrap()),
            _ => case.python(python.path.clone()),
        };
    }
    case
}

#[test]
fn the_state_of_random_applications_agrees() {
    for seed in seeds("applications", 4) {
        let mut random = Random(seed);
        let scratch = tempfile::tempdir().unwrap();
        let pex = random_pex(seed, &mut random).build_in(scratch.path());
        let mut case = Case::new(&pex).env("PROBE_IMPORT", &MODULES.join(","));
        if random.one_in(3) {
            case = case.with(|start, stage| {
                stage.write("ambient/four.py", "WHO = 'PYTHONPATH'\n");
                start.env("PYTHONPATH", stage.path("ambient"))
            });
        }
        if random.one_in(3) {
            case = case.args(["a", "--b"]);
        }
        if random.one_in(4) {
            case = case.env(
                "PEX_INHERIT_PATH",
                random.pick(&["false", "prefer", "fallback"]),
            );
        }
        if random.one_in(5) {
            case = case.env("PEX_MODULE", "probe:main");
        }
        case = with_company(seed, &mut random, scratch.path(), case);
        println!("PEXBOOT_SEED={seed}");
        case.normalise(visible).ignore_stderr().agrees();
    }
}

/// What of the probe's report a user could build on, as text.
fn visible(text: &str) -> String {
    let Some(Ok(state)) = text.lines().last().map(serde_json::from_str) else {
        return text.to_owned();
    };
    let state = State(state);
    let who: Vec<_> = MODULES
        .iter()
        .map(|module| (*module, state.who(module).to_owned()))
        .collect();
    let env: Vec<_> = state
        .get("/env")
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "_PEX_CACHE_ACCESS_LOCK")
        .map(|(name, value)| match name.as_str() {
            "VIRTUAL_ENV" => (name.clone(), String::new()),
            _ => (name.clone(), base(value)),
        })
        .collect();
    let argv: Vec<_> = state
        .get("/argv")
        .as_array()
        .unwrap()
        .iter()
        .map(base)
        .collect();
    let flags = ["isolated", "ignore_environment", "no_user_site", "optimize"];
    let flags: Vec<_> = flags.iter().map(|name| (*name, state.flag(name))).collect();
    let main = state.get("/main");
    json!({
        "who": who, "env": env, "argv": argv, "flags": flags, "main": [main["__name__"], main["__package__"]],
        "executable": state.get("/sys/executable").as_str().map(|_| state.get("/sys/version")),
    })
    .to_string()
}

/// A path by its last component: caches are laid out differently.
fn base(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    if text.starts_with("[BOX]") || text.starts_with("[CACHE]") {
        return text.rsplit('/').next().unwrap_or_default().to_owned();
    }
    text.to_owned()
}
