//! What was written into a published wheel is noticed by whoever asks for an unchanged one.

use std::time::{Duration, SystemTime};

use super::*;
use crate::store::manifest;

/// Publishes a wheel, lets `change` have its directory, and says whether that is noticed. Times are set an hour back
/// first, so that what is written now is later than the manifest.
fn is_noticed(change: &dyn Fn(&Path)) -> bool {
    let temp = directory();
    let root = temp.path().join("root");
    let fill = |path: &Path| {
        let mut tree = Tree::new(path)?;
        tree.write("top.py", b"1", false)?;
        tree.write("package/sub/module.py", b"1", false)?;
        Ok(tree.write("package/__init__.py", b"", false)?)
    };
    let store = silent(&root);
    let path = store
        .directory(Kind::Wheels, "ab/x.whl", &mut |path| fill(path))
        .unwrap();
    let back = SystemTime::now() - Duration::from_secs(3600);
    let mut all = vec![manifest::path_of(&path), path.clone()];
    all.extend(
        [
            "top.py",
            "package",
            "package/sub",
            "package/sub/module.py",
            "package/__init__.py",
        ]
        .map(|name| path.join(name)),
    );
    for path in &all {
        let file = std::fs::File::open(path).unwrap();
        file.set_modified(back).unwrap();
    }
    assert_eq!(
        silent(&root).find_unchanged(Kind::Wheels, "ab/x.whl"),
        Some(path.clone())
    );
    change(&path);
    let store = silent(&root);
    let found = store.find_unchanged(Kind::Wheels, "ab/x.whl");
    assert_eq!(store.changed().is_empty(), found.is_some());
    assert_eq!(path.exists(), found.is_some());
    found.is_none()
}

#[test]
fn what_is_replaced_added_or_removed_is_noticed_and_bytecode_is_not() {
    let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    assert!(!is_noticed(&|_| {}));
    assert!(!is_noticed(&|wheel| {
        let cache = wheel.join("package/sub/__pycache__");
        std::fs::create_dir(&cache).unwrap();
        write(&cache.join("module.cpython-311.pyc"), "code");
    }));
    assert!(is_noticed(&|wheel| {
        remove(&wheel.join("package/sub/module.py"));
        write(&wheel.join("package/sub/module.py"), "2");
    }));
    assert!(is_noticed(&|wheel| remove(&wheel.join("top.py"))));
    assert!(is_noticed(&|wheel| write(
        &wheel.join("package/new.py"),
        ""
    )));
    assert!(is_noticed(&|wheel| std::fs::create_dir(
        wheel.join("package/new")
    )
    .unwrap()));
    // In place: left to the next boot, and to `pexboot verify`.
    assert!(!is_noticed(&|wheel| write(
        &wheel.join("package/sub/module.py"),
        "2"
    )));
}
