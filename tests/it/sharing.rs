//! PEXes that have wheels in common: what was unpacked and compiled for one serves all.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{Outcome, PEXBOOT, Stage, Start, Way, pythons};

/// An application that imports from wheels of every kind, and shows where its modules seem to be.
fn sample(name: &str, more: Option<Wheel>) -> Built {
    let python = pythons::debian();
    let tag = format!(
        "cp{0}-cp{0}-linux_{1}",
        python.nodot(),
        std::env::consts::ARCH
    );
    let native = Wheel::empty("native", "1.0")
        .tag(&tag)
        .platlib()
        .file("native/__init__.py", "from native.deep import inner\n")
        .file("native/core.so", "no library")
        .file("native/deep/__init__.py", "")
        .file(
            "native/deep/inner.py",
            "def fail():\n    raise KeyError('inner')\n",
        )
        .file("native/deep/libx.so.1", "no library")
        .file("native/plain/__init__.py", "");
    let wheels = [
        native,
        Wheel::empty("pure", "1.0").file("pure/__init__.py", ""),
        Wheel::empty("single", "1.0").file("single.py", ""),
        Wheel::empty("space-one", "1.0").file("space/one.py", ""),
        Wheel::empty("space-two", "1.0").file("space/two.py", ""),
    ];
    let main = "import native.plain, pure, single, space.one, space.two, sys, traceback
try:
    import more
except ImportError:
    pass
def main():
    inner = native.deep.inner
    print(inner.__file__, inner.__cached__, inner.fail.__code__.co_filename)
    try:
        inner.fail()
    except KeyError:
        print(traceback.extract_tb(sys.exc_info()[2])[-1].filename)
";
    wheels
        .into_iter()
        .chain(more)
        .fold(Pex::app(name, main), Pex::dep)
        .build()
}

fn more() -> Option<Wheel> {
    Some(Wheel::new("more", "1.0"))
}

/// The bytecode in the cache, each file once, by one of its names.
fn bytecode(stage: &Stage) -> BTreeMap<u64, PathBuf> {
    let files = stage.cached_files().into_iter();
    let bytecode = files.filter(|path| path.extension().is_some_and(|end| end == "pyc"));
    bytecode
        .map(|path| {
            let status = fs::metadata(stage.home().join(".cache").join(&path)).unwrap();
            (status.ino(), path)
        })
        .collect()
}

/// Where the application saw itself: all below one site.
fn at_home(run: &Outcome) {
    let text = &run.ok().stdout;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [file, cached, code, traceback] = words[..] else {
        panic!("{run}");
    };
    let place = file.strip_suffix("native/deep/inner.py").unwrap();
    assert!(place.contains("/v2/sites/"), "{run}");
    assert!(
        cached.starts_with(&format!("{place}native/deep/__pycache__/")),
        "{run}"
    );
    assert_eq!((code, traceback), (file, file), "{run}");
}

#[test]
fn a_second_pex_compiles_nothing_that_the_first_has_compiled() {
    // With launch packs and without: they are made of the same bytecode.
    for pack in ["1", "0"] {
        let stage = Stage::new(Way::Embedded, &sample("first", None));
        let second = stage.path("second.pex");
        stage.place(&sample("second", more()), &second);
        let start = || {
            let start: Start<'_> = stage.start();
            start
                .python(&pythons::debian().path)
                .env("PEXBOOT_PACK", pack)
        };
        at_home(&start().run());
        let before = bytecode(&stage);
        let has = |name: &str| {
            before
                .values()
                .any(|path| path.to_string_lossy().contains(name))
        };
        assert!(
            has("/inner.") && has("/single.") && has("/one."),
            "{before:?}"
        );
        for _ in 0..2 {
            at_home(&start().program(&second).run());
        }
        let mut after = bytecode(&stage);
        after.retain(|inode, _| !before.contains_key(inode));
        let mut names: Vec<_> = after
            .values()
            .map(|path| {
                path.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .split('.')
                    .next()
                    .unwrap()
            })
            .collect();
        names.sort_unstable();
        // Its own code, and the wheel that the first one has not.
        assert_eq!(names, ["app", "more"], "{after:?}");
        // What was there was not written anew.
        let inodes = before.keys();
        assert!(
            inodes
                .into_iter()
                .all(|inode| bytecode(&stage).contains_key(inode))
        );
        at_home(&start().run());
        for pex in [&stage.pex, &second] {
            let pexboot = stage.start().program(PEXBOOT);
            pexboot.args(["verify", "--cache"]).args([pex]).run().ok();
        }
    }
}

#[test]
fn each_interpreter_has_bytecode_of_its_own_in_one_place() {
    let pex = Pex::app(
        "several",
        "import native\ndef main():\n    print(native.WORD)\n",
    )
    .dep(
        Wheel::empty("native", "1.0")
            .tag(&format!("py3-none-linux_{}", std::env::consts::ARCH))
            .platlib()
            .file("native/__init__.py", "WORD = 'native'\n")
            .file("native/lib.so", "no library"),
    )
    .dep(Wheel::new("other", "1.0"))
    .build();
    let stage = Stage::new(Way::Embedded, &pex);
    let mut count = 0;
    for python in pythons::all() {
        stage
            .start()
            .python(&python.path)
            .run()
            .ok()
            .prints("native");
        let found = bytecode(&stage).into_values();
        let found = found.filter(|path| path.to_string_lossy().contains("native/__pycache__/"));
        let found: Vec<_> = found.collect();
        count += 1;
        assert_eq!(found.len(), count, "{found:?}");
        assert!(
            found
                .iter()
                .all(|path| path.starts_with("pexboot/v2/wheels")),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_edited_is_compiled_again() {
    let stage = Stage::new(Way::Embedded, &sample("first", None));
    let start = || stage.start().python(&pythons::debian().path);
    start().run().ok();
    let files = stage.cached_files();
    let inner = files
        .iter()
        .find(|path| path.ends_with("native/deep/inner.py"))
        .unwrap();
    fs::write(
        stage.home().join(".cache").join(inner),
        "def fail():\n    pass\n",
    )
    .unwrap();
    for _ in 0..2 {
        let run = start().run();
        assert_eq!(run.ok().stdout.lines().count(), 1, "{run}");
    }
}
