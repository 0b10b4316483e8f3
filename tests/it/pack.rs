//! The launch pack: what an application can see of its imports is the same with it and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{Outcome, PEXBOOT, Stage, Start, Way, pythons};

/// An application that shows what it sees, with packages, a namespace and files of every kind.
fn sample() -> Built {
    let lib = Wheel::empty("lib", "1.0")
        .file(
            "lib/__init__.py",
            "\"\"\"Doc.\"\"\"\ndef f():\n    return 1\n",
        )
        .file("lib/data.txt", "data")
        .file("lib/deep/__init__.py", "from . import other\n")
        .file("lib/deep/inner.py", "WORD = 'inner'\n")
        .file("lib/deep/other.py", "")
        .file(
            "lib/failing.py",
            "def go():\n    raise ValueError('x')\n\ngo()\n",
        )
        .file(
            "lib/later.py",
            "class C:\n    def m(self):\n        return lambda: 1\n",
        )
        .file("lib/lazy.py", "VALUE = 3\n");
    let single = Wheel::empty("single", "1.0").file("single.py", "VALUE = 'module'\n");
    let one = Wheel::empty("space-one", "1.0").file("space/one.py", "NAME = __package__\n");
    let two = Wheel::empty("space-two", "1.0").file("space/two.py", "NAME = __package__\n");
    [lib, single, one, two]
        .into_iter()
        .fold(Pex::empty("imports"), Pex::dep)
        .source("app/__init__.py", "")
        .source("app/imports.py", include_str!("../fixtures/imports.py"))
        .entry("app.imports:main")
        .build()
}

/// The packs in the cache of this machine.
fn packs(stage: &Stage) -> Vec<PathBuf> {
    let launches = stage.home().join(".cache/pexboot/v2/launches");
    let launches = fs::read_dir(launches).into_iter().flatten().flatten();
    launches
        .map(|launch| launch.path().join("pack"))
        .filter(|pack| pack.exists())
        .collect()
}

/// The one that there is.
pub fn the_pack(stage: &Stage) -> PathBuf {
    let found = packs(stage);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

/// A start without the pack.
fn bare(start: Start<'_>) -> Start<'_> {
    start.env("PEXBOOT_PACK", "0")
}

#[track_caller]
fn same(one: &Outcome, other: &Outcome) {
    one.ok();
    other.ok();
    let lines = one.stdout.lines().zip(other.stdout.lines());
    for (number, (one, other)) in lines.enumerate() {
        assert_eq!(one, other, "line {number}");
    }
    assert_eq!(one.stdout, other.stdout);
    assert_eq!(one.stderr, other.stderr);
}

#[test]
fn nothing_but_a_clock_can_tell() {
    let pex = sample();
    for python in pythons::cpythons() {
        let stage = Stage::new(Way::Embedded, &pex);
        let start = || stage.start().python(&python.path);
        let cold = start().run();
        cold.ok();
        let pack = the_pack(&stage);
        let made = fs::read(&pack).unwrap();
        let with = start().run();
        let without = bare(start()).run();
        same(&without, &with);
        same(&cold, &with);
        // Whoever reads a pack leaves it alone.
        assert!(fs::read(&pack).unwrap() == made);

        // A Python that knows nothing of a PEX sees each module so too.
        let seen: Value = serde_json::from_str(&with.stdout).unwrap();
        let script = "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); \
                      import app.imports; app.imports.main()";
        let plain = Command::new(&python.path)
            .args(["-S", "-c", script, &seen["path"].to_string()])
            .current_dir(stage.path("work"))
            .env_clear()
            .env("LANG", "C.UTF-8")
            .output()
            .unwrap();
        let plain: Value = serde_json::from_slice(&plain.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&plain.stderr)));
        let facts = seen["facts"].as_object().unwrap();
        let mut compared = 0;
        let from_files = |facts: &Value| {
            facts["loader"].as_str().is_some_and(|loader| {
                [".SourceFileLoader", ".ExtensionFileLoader"]
                    .iter()
                    .any(|kind| loader.ends_with(kind))
            })
        };
        for (name, facts) in facts.iter().filter(|(_, facts)| from_files(facts)) {
            if let Some(theirs) = plain["facts"].get(name) {
                assert_eq!(facts, theirs, "{name} of {}", python.name());
                compared += 1;
            }
        }
        assert!(compared > 50, "{compared}");
        for key in [
            "later",
            "reloaded",
            "again",
            "walked",
            "namespace",
            "failing",
            "found",
            "missing",
        ] {
            assert_eq!(seen[key], plain[key], "{key}");
        }
    }
}

/// The bytecode files that a start opens.
fn opened(stage: &Stage, python: &pythons::Python, pack: &str) -> Vec<String> {
    let log = stage.path("trace");
    let words = ["/usr/bin/strace", "-f", "-e", "trace=openat,open", "-o"];
    let words = words.into_iter().chain([log.to_str().unwrap()]);
    let start = stage.start().env("PEXBOOT_PACK", pack);
    start.before(words).python(&python.path).run().ok();
    let text = fs::read_to_string(&log).unwrap();
    let paths = text.lines().filter_map(|line| line.split('"').nth(1));
    paths
        .filter(|path| path.ends_with(".pyc"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_second_start_reads_one_file_instead_of_many() {
    for python in pythons::cpythons() {
        let stage = Stage::new(Way::Embedded, &words());
        stage.start().python(&python.path).run().ok();
        let without = opened(&stage, python, "0");
        let with = opened(&stage, python, "1");
        let within = |paths: &[String], text: &str| paths.iter().any(|path| path.contains(text));
        for text in [
            "words/__pycache__/one.",
            "words/__pycache__/two.",
            "/json/__pycache__/",
        ] {
            assert!(within(&without, text), "{}: {without:?}", python.name());
            assert!(!within(&with, text), "{}: {with:?}", python.name());
        }
    }
}

#[test]
fn other_options_of_python_are_served_by_none_or_the_same() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    stage.start().run().ok();
    let prefix = stage.path("prefix");
    let changes: [(&str, &str); 7] = [
        ("PYTHONOPTIMIZE", "1"),
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONPYCACHEPREFIX", prefix.to_str().unwrap()),
        ("PYTHONDEVMODE", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONNODEBUGRANGES", "1"),
        ("PYTHONHASHSEED", "0"),
    ];
    for (name, value) in changes {
        let with = stage.start().env(name, value).run();
        let without = bare(stage.start()).env(name, value).run();
        same(&without, &with);
    }
    // What is said on standard error has times in it; the order of imports is the same.
    let order = |start: Start<'_>| {
        let run = start.env("PYTHONPROFILEIMPORTTIME", "1").run();
        let lines = run.ok().stderr.lines();
        let last = lines.filter_map(|line| line.rsplit('|').next());
        last.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(order(stage.start()), order(bare(stage.start())));
    let verbose = stage.start().env("PYTHONVERBOSE", "1").run();
    verbose.ok();
    assert!(verbose.stderr.contains("matches"), "{verbose}");
}

/// An application that prints a word from a module of a wheel.
fn words() -> Built {
    let wheel = Wheel::empty("words", "1.0")
        .file("words/__init__.py", "")
        .file("words/one.py", "WORD = 'packed'\n")
        .file("words/two.py", "WORD = 'packed'\n");
    Pex::empty("words")
        .dep(wheel)
        .dep(Wheel::empty("single", "1.0").file("single.py", "WORD = 'packed'\n"))
        .source(
            "main.py",
            "import words.one, single, sys, json\n\
             def run():\n    \
                 if len(sys.argv) > 1:\n        \
                     open(sys.argv[1], 'a').write('WORD = \"edited\"\\n')\n    \
                 import words.two\n    \
                 print(words.one.WORD, words.two.WORD, single.WORD)\n",
        )
        .entry("main:run")
        .build()
}

fn cached(stage: &Stage, name: &str) -> PathBuf {
    let files = stage.cached_files();
    let file = files.iter().find(|file| file.ends_with(name)).unwrap();
    stage.home().join(".cache").join(file)
}

#[test]
fn what_is_edited_counts() {
    let stage = Stage::new(Way::Embedded, &words());
    for _ in 0..2 {
        stage.start().run().ok().prints("packed packed packed");
    }
    the_pack(&stage);
    let edit = |name: &str, text: &str| fs::write(cached(&stage, name), text).unwrap();
    edit("words/one.py", "WORD = 'changed'\n");
    stage.start().run().ok().prints("changed packed packed");
    // While it runs, before it is imported.
    let two = cached(&stage, "words/two.py");
    let run = stage.start().args([&two]).run();
    run.ok().prints("changed edited packed");
    stage.start().run().ok().prints("changed edited packed");
    // An error in it is shown as Python shows it.
    edit("words/one.py", "WORD = \n");
    let with = stage.start().run();
    let without = bare(stage.start()).run();
    assert!(
        with.code == Some(1) && with.stderr.contains("SyntaxError"),
        "{with}"
    );
    assert_eq!(with.stderr, without.stderr);
}

#[test]
fn what_is_put_before_a_module_shadows_it() {
    let stage = Stage::new(Way::Embedded, &words());
    let extra = stage.path("extra");
    fs::create_dir(&extra).unwrap();
    let start = || stage.start().env("PEX_EXTRA_SYS_PATH", &extra);
    for _ in 0..2 {
        start().run().ok().prints("packed packed packed");
    }
    stage.write("extra/single.py", "WORD = 'before'\n");
    start().run().ok().prints("packed packed before");
    fs::remove_file(extra.join("single.py")).unwrap();
    start().run().ok().prints("packed packed packed");
    // In the same directory a package goes before a module.
    let single = cached(&stage, "single.py");
    let site = fs::read_dir(stage.home().join(".cache/pexboot/v2/sites")).unwrap();
    let sites = site.flatten().map(|site| site.path());
    let site = sites
        .into_iter()
        .find(|site| site.join("single.py").exists());
    let site = site.unwrap_or_else(|| single.parent().unwrap().to_owned());
    fs::create_dir(site.join("single")).unwrap();
    fs::write(site.join("single/__init__.py"), "WORD = 'package'\n").unwrap();
    start().run().ok().prints("packed packed package");
}

/// Where times are whole seconds, what is added in the second of the first start leaves no trace in them: the pack said for
/// ever that there is no such module.
#[test]
fn a_module_that_comes_in_the_same_second_is_found() {
    let text = "def main():\n    try:\n        import late\n        print('late')\n    except ImportError:\n        print('none')\n";
    let stage = Stage::new(Way::Embedded, &Pex::app("pack-second", text).build());
    let extra = stage.path("extra");
    fs::create_dir(&extra).unwrap();
    // As such a file system has it, before and after.
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let second = SystemTime::UNIX_EPOCH + Duration::from_secs(second.unwrap().as_secs());
    let in_that_second = || {
        fs::File::open(&extra)
            .unwrap()
            .set_modified(second)
            .unwrap()
    };
    in_that_second();
    let start = stage.start().env("PEX_EXTRA_SYS_PATH", &extra);
    start.run().ok().prints("none");
    the_pack(&stage);
    fs::write(extra.join("late.py"), "").unwrap();
    in_that_second();
    for _ in 0..2 {
        start.run().ok().prints("late");
    }
}

#[test]
fn a_damaged_pack_is_none_and_is_made_again() {
    let stage = Stage::new(Way::Embedded, &words());
    stage.start().run().ok();
    let pack = the_pack(&stage);
    let whole = fs::read(&pack).unwrap();
    let damage: [fn(&mut Vec<u8>); 6] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        Vec::clear,
        |bytes| bytes.fill(0),
        |bytes| bytes[100] ^= 1,
        |bytes| bytes[20..24].fill(0xff),
        |bytes| bytes.push(0),
    ];
    for (number, harm) in damage.iter().enumerate() {
        let mut bytes = whole.clone();
        harm(&mut bytes);
        fs::write(&pack, &bytes).unwrap();
        let run = stage.start().run();
        run.ok().prints("packed packed packed");
        assert_eq!(run.stderr, "", "{number}");
        // Removed by nobody, a second start has made it.
        assert_eq!(fs::read(&pack).unwrap().len(), whole.len(), "{number}");
    }
    // Modules that are no code any more are read from their files.
    let mut bytes = whole;
    let end = bytes.len();
    let head = u32::from_le_bytes(bytes[20..24].try_into().unwrap()) as usize;
    bytes[48 + head..end - 40].fill(0);
    fs::write(&pack, &bytes).unwrap();
    stage.start().run().ok().prints("packed packed packed");
}

#[test]
fn only_the_process_itself_makes_a_pack_and_only_at_its_end() {
    let check = |name: &str, body: &str, expect: usize| {
        let text = format!("import os, sys\ndef main():\n{body}");
        let stage = Stage::new(Way::Embedded, &Pex::app(name, &text).build());
        stage.start().run().ok();
        assert_eq!(packs(&stage).len(), expect, "{body}");
        let drafts = stage.cached_files().into_iter();
        let drafts: Vec<_> = drafts
            .filter(|path| path.to_string_lossy().contains("/tmp/"))
            .collect();
        assert_eq!(drafts, Vec::<PathBuf>::new());
    };
    check("pack-exit", "    sys.exit(0)\n", 1);
    check("pack-gone", "    os._exit(0)\n", 0);
    check("pack-exec", "    os.execv('/bin/true', ['true'])\n", 0);
    check(
        "pack-child",
        "    if os.fork(): os.wait(); os._exit(0)\n",
        0,
    );
}

/// A server, say, that is always killed: its first start leaves no pack, any later one does before it serves.
/// Lets the minute pass in which the pack is left to the first start.
fn as_if_planned_earlier(stage: &Stage) {
    let path = cached(stage, "data");
    let plan = fs::File::options().append(true).open(path).unwrap();
    let earlier = SystemTime::now() - Duration::from_secs(120);
    plan.set_modified(earlier).unwrap();
}

#[test]
fn a_start_that_never_ends_makes_a_pack_all_the_same() {
    let text = "import json, os\ndef main():\n    import wave\n    os._exit(0)\n";
    let stage = Stage::new(Way::Embedded, &Pex::app("pack-server", text).build());
    // One that comes right behind leaves it to the first.
    for _ in 0..2 {
        stage.start().run().ok();
        assert_eq!(packs(&stage), Vec::<PathBuf>::new());
    }
    as_if_planned_earlier(&stage);
    stage.start().run().ok();
    let names = fs::read(the_pack(&stage)).unwrap();
    let has = |name: &[u8]| names.windows(name.len()).any(|found| found == name);
    assert!(has(b" json.decoder\n") && !has(b" wave\n"));
}

#[test]
fn where_nothing_may_be_written_nothing_is() {
    let stage = Stage::new(Way::Embedded, &words());
    stage.start().env("PYTHONDONTWRITEBYTECODE", "1").run().ok();
    bare(stage.start()).run().ok();
    assert_eq!(packs(&stage), Vec::<PathBuf>::new());
    as_if_planned_earlier(&stage);
    stage.start().run().ok();
    the_pack(&stage);
}

#[test]
fn info_tells_what_a_pack_holds() {
    let stage = Stage::new(Way::Embedded, &words());
    let info = || {
        let mut command = Command::new(PEXBOOT);
        command.args(["info".as_ref(), "--modules".as_ref(), stage.pex.as_os_str()]);
        command
            .env_clear()
            .env("HOME", stage.home())
            .env("PATH", "/usr/bin:/bin");
        command.env("LANG", "C.UTF-8");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!info().contains("launch pack"));
    stage.start().run().ok();
    let text = info();
    assert!(
        text.contains("launch pack  ") && text.contains("words.two  "),
        "{text}"
    );
    let _ = Path::new("");
}
