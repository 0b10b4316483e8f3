//! What is merged, what is spilled, and that Python finds the same either way.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// A wheel's files: path and content.
type Files<'a> = &'a [(&'a str, &'a str)];

struct World {
    temp: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::scratch(temp.path()).unwrap();
        World { temp, store }
    }

    fn wheel(&self, name: &str, files: Files<'_>) -> Unpacked {
        let tag = if name.contains("-cp") {
            ""
        } else {
            "-py3-none-any"
        };
        let name = format!("{name}{tag}.whl");
        let path = self.store.directory(
            Kind::Wheels,
            &format!("{}/{name}", "ab".repeat(32)),
            &mut |root| {
                let mut tree = crate::store::Tree::new(root)?;
                for (path, content) in files {
                    tree.write(path, content.as_bytes(), false)?;
                }
                Ok(())
            },
        );
        let path = path.unwrap();
        let mut entries = vec![".".to_owned()];
        if path.join(".prefix/platlib").is_dir() {
            entries.push(".prefix/platlib".into());
        }
        Unpacked {
            name,
            path,
            entries,
        }
    }

    fn wheels(&self, wheels: &[(&str, Files<'_>)]) -> Vec<Unpacked> {
        wheels
            .iter()
            .map(|(name, files)| self.wheel(name, files))
            .collect()
    }

    fn assemble(&self, wheels: &[Unpacked]) -> Site {
        assemble(wheels, (3, 11), &self.store, &mut |_, _| {}).unwrap()
    }
}

/// Merges the wheels and says which are spilled.
fn spilled(wheels: &[(&str, Files<'_>)]) -> Vec<String> {
    let world = World::new();
    let wheels = world.wheels(wheels);
    let site = world.assemble(&wheels);
    let spilled = site.entries[1..].iter();
    spilled
        .map(|entry| {
            let wheel = wheels
                .iter()
                .find(|wheel| entry.starts_with(&wheel.path))
                .unwrap();
            let below = entry.strip_prefix(&wheel.path).unwrap();
            let name = wheel.name.split('-').next().unwrap();
            Path::new(name)
                .join(below)
                .to_str()
                .unwrap()
                .trim_end_matches('/')
                .to_owned()
        })
        .collect()
}

const EXTEND: &str = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n";
const DECLARE: &str = "__import__('pkg_resources').declare_namespace(__name__)\n";

#[test]
fn wheels_of_different_names_are_merged() {
    let none: [&str; 0] = [];
    assert_eq!(
        spilled(&[
            (
                "a-1",
                &[("a/__init__.py", ""), ("a-1.dist-info/METADATA", "")]
            ),
            ("b-1", &[("b.py", ""), ("b-1.dist-info/METADATA", "")]),
            ("c-1", &[("c/__init__.py", ""), ("LICENSE", "same")]),
            ("d-1", &[("d/__init__.py", ""), ("LICENSE", "same")]),
        ]),
        none
    );
}

#[test]
fn namespace_packages_are_merged_name_by_name() {
    let none: [&str; 0] = [];
    for init in [None, Some(EXTEND), Some(DECLARE)] {
        let init = init.map(|init| ("ns/__init__.py", init));
        let wheel =
            |file: (&'static str, &'static str)| init.into_iter().chain([file]).collect::<Vec<_>>();
        let (a, b) = (wheel(("ns/a.py", "")), wheel(("ns/b/__init__.py", "")));
        assert_eq!(spilled(&[("a-1", &a), ("b-1", &b)]), none);
        // One name in both is a clash inside as it is outside.
        let c = wheel(("ns/a/__init__.py", ""));
        assert_eq!(spilled(&[("a-1", &a), ("b-1", &b), ("c-1", &c)]), ["c"]);
    }
}

#[test]
fn a_clash_spills_the_later_wheel() {
    let a: Files<'_> = &[("a/__init__.py", ""), ("a/x.py", "")];
    for (what, b) in [
        ("module against package", &[("a.py", "")][..]),
        (
            "extension against package",
            &[("a.cpython-311-x86_64-linux-gnu.so", "")],
        ),
        (
            "two regular packages",
            &[("a/__init__.py", "x = 1"), ("a/y.py", "")],
        ),
        (
            "one module of a package twice",
            &[("a/__init__.py", ""), ("a/x.py", "x = 1")],
        ),
        (
            "old namespace against regular package",
            &[("a/__init__.py", EXTEND)],
        ),
    ] {
        assert_eq!(spilled(&[("a-1", a), ("b-1", b)]), ["b"], "{what}");
        assert_eq!(
            spilled(&[("b-1", b), ("a-1", a)]),
            ["a"],
            "{what}, the other way"
        );
    }
}

#[test]
fn parts_of_one_regular_package_are_merged() {
    let none: [&str; 0] = [];
    let init = "# one licence\nNAME = 'a'\n";
    let a: Files<'_> = &[
        ("a/__init__.py", init),
        ("a/x.py", ""),
        ("a/b/__init__.py", ""),
    ];
    for (what, b) in [
        (
            "the same `__init__.py`",
            &[("a/__init__.py", init), ("a/y.py", "")][..],
        ),
        (
            "the same code",
            &[
                ("a/__init__.py", "# another\n\nNAME = 'a'\n"),
                ("a/y.py", ""),
            ],
        ),
        ("none", &[("a/y.py", ""), ("a/b/y.py", "")]),
        ("one module in both", &[("a/y.py", ""), ("a/x.py", "")]),
    ] {
        assert_eq!(spilled(&[("a-1", a), ("b-1", b)]), none, "{what}");
        assert_eq!(
            spilled(&[("b-1", b), ("a-1", a)]),
            none,
            "{what}, the other way"
        );
    }
}

#[test]
fn a_package_of_several_wheels_has_no_links_to_directories() {
    let world = World::new();
    let wheels = world.wheels(&[
        (
            "core-1",
            &[
                ("a/__init__.py", ""),
                ("a/data/deep/x.yml", "x"),
                ("a/core/__init__.py", ""),
            ],
        ),
        (
            "sdk-1",
            &[
                ("a/sdk/__init__.py", ""),
                ("a/sdk/y.py", "y"),
                ("sdk/__init__.py", ""),
            ],
        ),
        ("ns-1", &[("ns/one/y.py", "")]),
        ("ns-2", &[("ns/two/y.py", "")]),
    ]);
    let site = world.assemble(&wheels).entries.remove(0);
    let code = site.join("a/sdk/y.py");
    assert_eq!(std::fs::canonicalize(&code).unwrap(), code);
    let data = code.parent().unwrap().join("../data/deep/x.yml");
    assert_eq!(std::fs::read(data).unwrap(), b"x");
    assert!(!site.join("a/data/deep").is_symlink());
    assert!(site.join("sdk").is_symlink() && site.join("ns/one").is_symlink());
}

#[test]
fn a_clash_of_data_or_of_projects_spills_too() {
    for (a, b) in [
        (("LICENSE", "one"), ("LICENSE", "other")),
        (("data", "file"), ("data/x", "directory")),
        (
            ("p-1.0.dist-info/METADATA", ""),
            ("p-2.0.dist-info/METADATA", ""),
        ),
        (
            ("My.P-1.0.dist-info/METADATA", ""),
            ("my_p-1.1.egg-info/PKG-INFO", ""),
        ),
        (("a.pth", "one"), ("a.pth", "other")),
        (("a.py", ""), ("a.so", "")),
        (("a.py", ""), ("a.pyc", "")),
    ] {
        assert_eq!(
            spilled(&[("a-1", &[a]), ("b-1", &[b])]),
            ["b"],
            "{a:?} {b:?}"
        );
    }
}

#[test]
fn no_wheel_overtakes_one_that_was_spilled() {
    assert_eq!(
        spilled(&[
            ("a-1", &[("a.py", "")]),
            ("b-1", &[("a.py", "other"), ("c.py", "first")]),
            ("c-1", &[("c.py", "second")]),
            ("d-1", &[("d.py", "")]),
            ("e-1", &[("e.py", ""), ("c/__init__.py", "third")]),
        ]),
        ["b", "c", "e"]
    );
}

#[test]
fn the_second_entry_of_a_wheel_is_a_unit_of_its_own() {
    let none: [&str; 0] = [];
    assert_eq!(
        spilled(&[("a-1", &[("a.py", ""), (".prefix/platlib/b.py", "")])]),
        none
    );
    assert_eq!(
        spilled(&[("a-1", &[("a.py", ""), (".prefix/platlib/a.py", "x")])]),
        ["a/.prefix/platlib"]
    );
}

#[test]
fn a_pth_file_brings_its_directory_and_its_lines() {
    let world = World::new();
    let outside = world.temp.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let pth = format!(
        "\u{feff}# comment\n\nimport sys; x = 1\nsrc\nmissing\n{}\nimport\tos\r\nsrc\n",
        outside.display()
    );
    let wheels = world.wheels(&[
        (
            "a-1",
            &[
                ("a.py", ""),
                ("a.pth", &pth),
                ("src/in_src.py", ""),
                (".hidden.pth", "import no"),
            ],
        ),
        ("b-1", &[("b.py", "")]),
        ("c-1", &[("a.py", "clash"), ("c.pth", "import c")]),
    ]);
    let site = world.assemble(&wheels);
    let merged = &site.entries[0];
    assert_eq!(site.entries[1..], [outside, wheels[2].path.clone()]);
    assert!(merged.join("in_src.py").exists() && merged.join("b.py").exists());
    assert_eq!(
        site.import_lines,
        [
            (merged.clone(), "import sys; x = 1".to_owned()),
            (merged.clone(), "import\tos".to_owned()),
            (wheels[2].path.clone(), "import c".to_owned()),
        ]
    );
}

#[test]
fn one_directory_alone_needs_no_site() {
    let world = World::new();
    assert_eq!(world.assemble(&[]), Site::default());
    let wheels = world.wheels(&[("a-1", &[("a.py", ""), ("a.pth", "import a")])]);
    let site = world.assemble(&wheels);
    assert_eq!(site.entries, [wheels[0].path.clone()]);
    assert_eq!(
        site.import_lines,
        [(wheels[0].path.clone(), "import a".to_owned())]
    );
}

#[test]
fn pure_python_is_linked_and_native_code_lies_in_real_directories() {
    let world = World::new();
    let wheels = world.wheels(&[
        ("pure-1", &[("pure/__init__.py", ""), ("pure/x/y.py", "")]),
        (
            "native-1-cp311-cp311-linux_x86_64",
            &[
                ("native/__init__.py", ""),
                ("native/lib/libx.so.1", "elf"),
                ("native/tests/t.py", ""),
                ("top.so", "elf"),
            ],
        ),
    ]);
    let site = world.assemble(&wheels).entries.remove(0);
    let link = |path: &str| std::fs::read_link(site.join(path)).ok();
    let target = format!(
        "../../wheels/{}/pure-1-py3-none-any.whl/pure",
        "ab".repeat(32)
    );
    assert_eq!(link("pure"), Some(target.into()));
    assert_eq!(
        (
            link("native"),
            link("native/lib"),
            link("native/lib/libx.so.1")
        ),
        (None, None, None)
    );
    assert_eq!(
        std::fs::canonicalize(site.join("native/lib/../..")).unwrap(),
        site
    );
    assert!(link("native/tests").is_some() && link("top.so").is_some());
    assert_eq!(
        std::fs::read(site.join("native/lib/libx.so.1")).unwrap(),
        b"elf"
    );
    assert_eq!(std::fs::read(site.join("native/tests/t.py")).unwrap(), b"");
}

#[test]
fn bytecode_of_native_wheels_is_kept_in_the_wheel() {
    let world = World::new();
    let native: Files<'_> = &[
        ("native/__init__.py", ""),
        ("native/lib/libx.so.1", "elf"),
        ("native/lib/x.py", ""),
    ];
    let native = world.wheel("native-1-cp311-cp311-linux_x86_64", native);
    let cache = |path: &str| native.path.join(path).join("__pycache__");
    std::fs::create_dir(cache("native")).unwrap();
    let pure = world.wheel("pure-1", &[("pure.py", "")]);
    let wheels = [native.clone(), pure];
    let site = world.assemble(&wheels).entries.remove(0);
    let shared = site.join("native/__pycache__");
    assert!(shared.is_symlink() && !site.join("native").is_symlink());
    std::fs::write(shared.join("x.pyc"), "").unwrap();
    assert!(cache("native").join("x.pyc").exists());
    // A wheel without such a directory leaves it to Python to make one in the site.
    assert!(!site.join("native/lib").is_symlink());
    assert!(
        site.join("native/lib/__pycache__")
            .symlink_metadata()
            .is_err()
    );

    // Through a link that leads nowhere nothing could be written: no later boot takes such a site.
    let name = site.file_name().unwrap().to_str().unwrap();
    assert!(world.store.verify(Kind::Sites, name));
    std::fs::remove_dir_all(cache("native")).unwrap();
    assert!(!world.store.verify(Kind::Sites, name));
    world.store.set_aside(Kind::Sites, name).unwrap();
    let site = world.assemble(&wheels).entries.remove(0);
    assert!(site.join("native/__pycache__").symlink_metadata().is_err());
}

#[test]
fn bytecode_where_wheels_meet_is_taken_over_from_another_site() {
    let world = World::new();
    let one = world.wheel("one-1", &[("one.py", "1"), ("ns/one.py", "1")]);
    let two = world.wheel("two-1", &[("two.py", "2"), ("ns/two.py", "2")]);
    let other = world.wheel("two-2", &[("two.py", "other"), ("ns/two.py", "other")]);
    let three = world.wheel("three-1", &[("three.py", "3")]);
    let first = world
        .assemble(&[one.clone(), two.clone()])
        .entries
        .remove(0);
    let compiled = [
        "one.tag.pyc",
        "two.tag.pyc",
        "two.tag.opt-1.pyc",
        "two.tag.pyc.123",
    ];
    for place in ["__pycache__", "ns/__pycache__"] {
        std::fs::create_dir(first.join(place)).unwrap();
        for name in compiled {
            std::fs::write(first.join(place).join(name), name).unwrap();
        }
    }
    // What was imported from a wheel that lay on the path alone.
    std::fs::create_dir(three.path.join("__pycache__")).unwrap();
    std::fs::write(three.path.join("__pycache__/three.tag.pyc"), "").unwrap();
    let taken = |wheels: &[Unpacked], place: &str| {
        let site = world.assemble(wheels).entries.remove(0);
        let mut names: Vec<_> = std::fs::read_dir(site.join(place))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let key = site.file_name().unwrap().to_str().unwrap().to_owned();
        // Python may replace it; its size is nobody's promise.
        std::fs::write(site.join(place).join(&names[0]), "replaced").unwrap();
        assert!(world.store.verify(Kind::Sites, &key));
        names
    };
    let all = [one.clone(), two, three.clone()];
    let whole = ["one.tag.pyc", "two.tag.opt-1.pyc", "two.tag.pyc"];
    assert_eq!(taken(&all, "ns/__pycache__"), whole);
    let mut with_three = vec!["one.tag.pyc", "three.tag.pyc"];
    with_three.extend(&whole[1..]);
    assert_eq!(taken(&all, "__pycache__"), with_three);
    // Another file of the same name has bytecode of its own.
    let changed = [one, other, three];
    assert_eq!(taken(&changed, "ns/__pycache__"), ["one.tag.pyc"]);
}

#[test]
fn a_root_that_moves_takes_its_sites_along() {
    let world = World::new();
    let files: [(&str, Files<'_>); 2] =
        [("a-1", &[("ns/a.py", "a")]), ("b-1", &[("ns/b.py", "b")])];
    let site = world.assemble(&world.wheels(&files)).entries.remove(0);
    let moved = tempfile::tempdir().unwrap();
    std::fs::rename(world.temp.path().join("v2"), moved.path().join("v2")).unwrap();
    let below = site.strip_prefix(world.temp.path()).unwrap();
    assert_eq!(
        std::fs::read(moved.path().join(below).join("ns/b.py")).unwrap(),
        b"b"
    );
    let store = Store::scratch(moved.path()).unwrap();
    let world = World { temp: moved, store };
    let again = world.assemble(&world.wheels(&files)).entries.remove(0);
    assert_eq!(again, world.temp.path().join(below));
}

/// Asks Python what it finds under each name: for each list of path entries one line.
fn found(paths: &[Vec<PathBuf>], names: &[&str]) -> Vec<String> {
    let script = r#"
import importlib, os, sys
names = sys.argv[1].split(",")
start = list(sys.path)
for line in sys.stdin:
    sys.path[:] = line.rstrip("\n").split(":") + start
    importlib.invalidate_caches()
    answers = []
    for name in names:
        try:
            module = importlib.import_module(name)
        except ImportError:
            answer = "-"
        else:
            if getattr(module, "__file__", None):
                answer = open(module.__file__).read().strip()
            else:
                answer = sorted({item for part in module.__path__ for item in os.listdir(part)})
        answers.append("%s: %s" % (name, answer))
    print("; ".join(answers))
    for name in names:
        sys.modules.pop(name, None)
"#;
    let lines = paths.iter().map(|path| {
        let entries: Vec<&str> = path.iter().map(|entry| entry.to_str().unwrap()).collect();
        entries.join(":") + "\n"
    });
    let mut python = Command::new("python3")
        .args(["-I", "-S", "-B", "-c", script, &names.join(",")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    let all: String = lines.collect();
    // Python reads as it goes, and answers less than a pipe holds before it has read all.
    let writer = std::thread::spawn(move || input.write_all(all.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn python_finds_through_the_site_what_it_finds_on_a_path_of_wheels_and_the_rest_of_packages() {
    // Every combination of three wheels out of these contents, each marked by who brought it.
    let shapes: [&[&str]; 9] = [
        &["m.py"],
        &["m/__init__.py", "m/x.py"],
        &["m/x.py"],
        &["m/y.py"],
        &["m/n/z.py"],
        &["m/n/__init__.py", "m/n/y.py"],
        &["m/__init__.py", "m/y.py", "k.py"],
        &["k.py", "m/n.py"],
        &["k/__init__.py"],
    ];
    let names = ["m", "m.x", "m.y", "m.n", "m.n.z", "m.n.y", "k"];
    let world = World::new();
    let mut wheels: Vec<Vec<Unpacked>> = Vec::new();
    for (index, shape) in shapes.iter().enumerate() {
        let three = (0..3).map(|turn| {
            let mark = format!("# {index} {turn}\n");
            let files: Vec<(&str, &str)> =
                shape.iter().map(|path| (*path, mark.as_str())).collect();
            world.wheel(&format!("w{index}{turn}-1"), &files)
        });
        wheels.push(three.collect());
    }
    // Every pair in both orders, with a third that changes.
    let mut chosen = Vec::new();
    for first in 0..shapes.len() {
        for second in 0..shapes.len() {
            let third = (first * 2 + second * 5 + 1) % shapes.len();
            chosen.push([
                wheels[first][0].clone(),
                wheels[second][1].clone(),
                wheels[third][2].clone(),
            ]);
        }
    }
    let paths: Vec<Vec<PathBuf>> = chosen
        .iter()
        .map(|wheels| wheels.iter().map(|wheel| wheel.path.clone()).collect())
        .collect();
    let sites: Vec<Vec<PathBuf>> = chosen
        .iter()
        .map(|wheels| world.assemble(wheels).entries)
        .collect();
    let merged = sites.iter().filter(|site| site.len() < 3).count();
    assert!(merged > 20, "only {merged} were merged at all");
    let (path, site) = (found(&paths, &names), found(&sites, &names));
    assert_eq!(path.len(), chosen.len());
    let mut more = 0;
    for ((path, site), wheels) in path.iter().zip(&site).zip(&chosen) {
        let names: Vec<&str> = wheels.iter().map(|wheel| wheel.name.as_str()).collect();
        for (path, site) in path.split("; ").zip(site.split("; ")) {
            if path.ends_with(": -") && path != site {
                // A part of a regular package that another wheel brings.
                more += 1;
                assert!(path.starts_with("m."), "{path} {site} {names:?}");
            } else {
                assert_eq!(path, site, "{names:?}");
            }
        }
    }
    assert!(more > 5, "only {more} parts of packages were found");
}
