//! What goes and what stays, on roots made by hand.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pexboot_core::plan::{Anchor, Exec, Input, Place, Plan, encode};

use super::catalogue::Catalogue;
use super::{Limits, Pruned};
use crate::store::{Kind, Store, Tree};

const DAY: Duration = Duration::from_secs(86_400);

/// A root in a directory of its own.
struct Scene {
    _temp: tempfile::TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Scene {
        let temp = tempfile::tempdir().unwrap();
        Scene {
            store: Store::scratch(&temp.path().join("r")).unwrap(),
            _temp: temp,
        }
    }

    fn format(&self) -> PathBuf {
        self.store.root().join("v2")
    }

    /// An entry with a file of this many bytes, last used so many days ago.
    fn entry(&self, kind: Kind, name: &str, bytes: usize, days: u32) -> PathBuf {
        let path = self.store.directory(kind, name, &mut |path| {
            Ok(Tree::new(path)?.write("file", &vec![1; bytes], false)?)
        });
        let path = path.unwrap();
        self.age(&path, days);
        self.age(
            &path.with_file_name(format!(
                "{}.manifest",
                path.file_name().unwrap().to_str().unwrap()
            )),
            days,
        );
        path
    }

    /// A launch of `application` that needs these paths, and its plan.
    fn launch(&self, key: &str, application: &str, needs: &[&Path], days: u32) {
        let files: [(&str, &[u8]); 2] = [(application, b"boot"), ("data", b"data")];
        let launch = self.store.launch(key, &files, None).unwrap().unwrap();
        self.age(&launch.join("data"), days);
        let boot = launch.join(application);
        let plan = Plan {
            boots: true,
            inputs: needs
                .iter()
                .map(|path| {
                    let place = Place {
                        anchor: Anchor::Root,
                        path: path.as_os_str().as_encoded_bytes().to_vec(),
                    };
                    Input::Present(place, 0)
                })
                .collect(),
            exec: Exec {
                argv: vec![boot.as_os_str().as_encoded_bytes().to_vec()],
                ..Exec::default()
            },
            ..Plan::default()
        };
        let plans = encode(&[plan]);
        self.age(&self.store.file(Kind::Plans, key, &plans).unwrap(), days);
    }

    fn age(&self, path: &Path, days: u32) {
        let then = SystemTime::now() - DAY * days;
        std::fs::File::open(path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }

    fn prune(&self, limits: Limits) -> Pruned {
        self.store.prune(&limits).unwrap()
    }

    /// Prunes until so many entries went: a process that another test is starting holds our descriptors until it has
    /// become another program.
    fn prune_until(&self, limits: Limits, gone: usize) {
        let start = std::time::Instant::now();
        let mut found = 0;
        while found < gone && start.elapsed() < Duration::from_secs(60) {
            found += self.prune(limits).gone.len();
            std::thread::yield_now();
        }
        assert_eq!(found, gone);
    }

    /// What is left, as `KIND/NAME`.
    fn left(&self) -> Vec<String> {
        names(&self.store.catalogue().unwrap())
    }
}

fn names(catalogue: &Catalogue) -> Vec<String> {
    catalogue
        .entries
        .iter()
        .map(|entry| format!("{}/{}", entry.kind.directory(), entry.name.display()))
        .collect()
}

fn older_than(days: u32) -> Limits {
    Limits {
        older_than: Some(DAY * days),
        ..Limits::default()
    }
}

#[test]
fn what_a_fresh_plan_refers_to_is_as_fresh() {
    let scene = Scene::new();
    let wheel = scene.entry(Kind::Wheels, "ab/used.whl", 10, 90);
    scene.entry(Kind::Wheels, "cd/unused.whl", 10, 90);
    scene.launch("k", "app", &[&wheel], 1);
    let catalogue = scene.store.catalogue().unwrap();
    let used = &catalogue.entries[2];
    assert_eq!(used.name, Path::new("ab/used.whl"));
    let names: Vec<_> = used.applications.iter().map(|found| &found.name).collect();
    assert_eq!(names, ["app"]);
    assert!(used.size >= 4096, "{}", used.size);
    let pruned = scene.prune(older_than(30));
    assert_eq!(pruned.gone.len(), 1);
    assert_eq!(
        scene.left(),
        ["plans/k", "launches/k", "wheels/ab/used.whl"]
    );
    assert!(!scene.format().join("wheels/cd").exists());
}

#[test]
fn a_site_keeps_what_its_links_lead_to() {
    let scene = Scene::new();
    let wheel = scene.entry(Kind::Wheels, "ab/x.whl", 10, 90);
    let site = scene.store.directory(Kind::Sites, "s", &mut |path| {
        Ok(Tree::new(path)?.link("file", Path::new("../../wheels/ab/x.whl/file"))?)
    });
    let site = site.unwrap();
    scene.age(&site, 90);
    scene.launch("k", "app", &[&site], 1);
    assert!(wheel.exists());
    assert!(scene.prune(older_than(30)).gone.is_empty());
    assert_eq!(
        scene.left(),
        ["plans/k", "launches/k", "sites/s", "wheels/ab/x.whl"]
    );
}

#[test]
fn an_old_launch_goes_with_what_it_alone_needs() {
    let scene = Scene::new();
    let own = scene.entry(Kind::Wheels, "ab/own.whl", 10, 90);
    let shared = scene.entry(Kind::Wheels, "cd/shared.whl", 10, 90);
    scene.launch("old", "one", &[&own, &shared], 60);
    scene.launch("new", "two", &[&shared], 1);
    let dry = Limits {
        dry_run: true,
        ..older_than(30)
    };
    assert_eq!(scene.prune(dry).gone.len(), 3);
    assert_eq!(scene.left().len(), 6);
    let pruned = scene.prune(older_than(30));
    assert_eq!(pruned.gone.len(), 3);
    assert!(pruned.freed > 0);
    assert_eq!(
        scene.left(),
        ["plans/new", "launches/new", "wheels/cd/shared.whl"]
    );
    assert_eq!(
        std::fs::read_dir(scene.format().join("tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn shrinking_begins_with_what_was_used_longest_ago() {
    let scene = Scene::new();
    for (name, days) in [("a", 5), ("b", 3), ("c", 1)] {
        let wheel = scene.entry(Kind::Wheels, &format!("{name}/x.whl"), 100_000, 9);
        scene.launch(name, name, &[&wheel], days);
    }
    let most = scene.store.catalogue().unwrap().size() - 50_000;
    let limits = Limits {
        max_size: Some(most),
        ..Limits::default()
    };
    scene.prune(limits);
    let left = scene.left();
    assert_eq!(
        left,
        [
            "plans/b",
            "plans/c",
            "launches/b",
            "launches/c",
            "wheels/b/x.whl",
            "wheels/c/x.whl"
        ]
    );
}

/// A site went whose files were those of wheels that stayed, and what had been counted for it was not given back.
#[test]
fn what_hard_links_share_is_given_back_with_the_last_of_them() {
    let scene = Scene::new();
    let wheel = scene.entry(Kind::Wheels, "ab/x.whl", 400_000, 9);
    let site = scene.store.directory(Kind::Sites, "s", &mut |path| {
        Ok(Tree::new(path)?.hard_link("file", &wheel.join("file"))?)
    });
    let site = site.unwrap();
    scene.age(&site, 9);
    scene.launch("k", "app", &[&wheel, &site], 9);
    let size = scene.store.catalogue().unwrap().size();
    assert!((400_000..800_000).contains(&size), "{size}");
    let limits = Limits {
        max_size: Some(300_000),
        ..Limits::default()
    };
    scene.prune(limits);
    let left = scene.store.catalogue().unwrap();
    assert!(left.size() <= 300_000, "{:?}", names(&left));
}

#[test]
fn what_is_in_use_and_what_it_needs_is_spared() {
    let scene = Scene::new();
    let wheel = scene.entry(Kind::Wheels, "ab/x.whl", 10, 90);
    scene.launch("k", "app", &[&wheel], 90);
    let open = std::fs::File::open(scene.format().join("launches/k/data")).unwrap();
    let pruned = scene.prune(older_than(30));
    // No further start begins by the plan; what it says of the launch counts while that runs.
    assert_eq!((pruned.gone.len(), pruned.spared.len()), (1, 2));
    assert_eq!(scene.left(), ["launches/k", "wheels/ab/x.whl"]);
    drop(open);
    scene.prune_until(older_than(30), 2);
}

#[test]
fn what_was_taken_out_lies_aside_until_its_grace_is_over() {
    let scene = Scene::new();
    scene.entry(Kind::Code, "x", 10, 90);
    let limits = Limits {
        grace: DAY,
        ..older_than(30)
    };
    let first = scene.prune(limits);
    assert_eq!((first.gone.len(), first.freed), (1, 0));
    let aside = std::fs::read_dir(scene.format().join("tmp"))
        .unwrap()
        .next();
    let aside = aside.unwrap().unwrap().path();
    assert!(aside.join("file").exists());
    assert_eq!(scene.prune(limits).freed, 0);
    scene.age(&aside, 2);
    assert!(scene.prune(limits).freed > 0);
    assert!(!aside.exists());
}

#[test]
fn other_formats_and_strange_files_are_left_alone() {
    let scene = Scene::new();
    let root = scene.store.root();
    for path in ["v3/wheels/x", "v1/launches/y", "note", "v2/unknown/z"] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        scene.age(&path, 400);
    }
    assert!(scene.prune(older_than(0)).gone.is_empty());
    for path in ["v3/wheels/x", "v1/launches/y", "note", "v2/unknown/z"] {
        assert!(root.join(path).exists(), "{path}");
    }
}

#[test]
fn an_entry_that_is_about_to_be_published_stays() {
    use fs2::FileExt;
    let scene = Scene::new();
    scene.entry(Kind::Code, "x", 10, 90);
    let lock = std::fs::File::create(scene.format().join("locks/code-x")).unwrap();
    lock.lock_exclusive().unwrap();
    assert!(scene.prune(older_than(30)).gone.is_empty());
    drop(lock);
    scene.prune_until(older_than(30), 1);
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_old() {
    let scene = Scene::new();
    let path = scene.entry(Kind::Code, "x", 10, 0);
    let ahead = SystemTime::now() + DAY * 400;
    std::fs::File::open(&path)
        .unwrap()
        .set_modified(ahead)
        .unwrap();
    assert!(scene.prune(older_than(30)).gone.is_empty());
    assert_eq!(scene.prune(older_than(0)).gone.len(), 1);
}

#[test]
fn locks_and_manifests_that_were_forgotten_go() {
    let scene = Scene::new();
    let format = scene.format();
    std::fs::create_dir_all(format.join("code")).unwrap();
    for (path, days) in [
        ("locks/a", 2),
        ("locks/b", 0),
        ("code/x.manifest", 2),
        ("code/y.manifest", 0),
    ] {
        std::fs::write(format.join(path), "").unwrap();
        scene.age(&format.join(path), days);
    }
    scene.prune(older_than(30));
    let there = |path: &str| format.join(path).exists();
    assert_eq!(
        [
            there("locks/a"),
            there("locks/b"),
            there("code/x.manifest"),
            there("code/y.manifest")
        ],
        [false, true, false, true]
    );
}
