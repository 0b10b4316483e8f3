//! Roots that can be trusted, and roots that cannot.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cell::Cell;

use super::*;

const ME: u32 = 1000;
const OTHER: u32 = 1001;

/// A file system: directories (mode, owner) and links (owner, target).
#[derive(Default)]
struct Tree {
    directories: BTreeMap<&'static str, (u32, u32)>,
    links: BTreeMap<&'static str, (u32, &'static str)>,
    looks: Cell<u32>,
}

impl Eyes for Tree {
    fn lstat(&self, path: &[u8]) -> Result<Seen, Why> {
        self.looks.set(self.looks.get() + 1);
        let path = str::from_utf8(path).unwrap();
        if let Some(&(mode, uid)) = self.directories.get(path) {
            Ok(Seen {
                kind: SeenKind::Directory,
                mode,
                uid,
            })
        } else if let Some(&(uid, _)) = self.links.get(path) {
            Ok(Seen {
                kind: SeenKind::Link,
                mode: 0o777,
                uid,
            })
        } else if path.ends_with("/file") {
            Ok(Seen {
                kind: SeenKind::Other,
                mode: 0o644,
                uid: ME,
            })
        } else {
            Err(Why::Missing)
        }
    }

    fn readlink(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.links
            .get(str::from_utf8(path).unwrap())
            .map(|(_, target)| target.as_bytes().to_vec())
    }
}

fn tree() -> Tree {
    Tree {
        directories: [
            ("/", (0o755, 0)),
            ("/home", (0o755, 0)),
            ("/home/me", (0o755, ME)),
            ("/home/me/root", (0o700, ME)),
            ("/home/me/open", (0o770, ME)),
            ("/home/me/open/root", (0o700, ME)),
            ("/home/me/sticky", (0o1777, ME)),
            ("/home/other", (0o755, OTHER)),
            ("/home/other/mine", (0o700, ME)),
            ("/tmp", (0o1777, 0)),
            ("/tmp/mine", (0o700, ME)),
            ("/tmp/other", (0o700, OTHER)),
            ("/opt", (0o755, 0)),
            ("/opt/seed", (0o755, 0)),
        ]
        .into(),
        links: [
            ("/home/me/link", (ME, "root")),
            ("/home/me/up", (ME, "../me/./root/")),
            ("/home/me/far", (ME, "/tmp/mine")),
            ("/home/me/chain", (ME, "link")),
            ("/home/me/loop", (ME, "loop")),
            ("/home/me/gone", (ME, "nothing")),
            ("/home/me/above", (ME, "../../../../tmp/mine")),
            ("/tmp/planted", (OTHER, "/home/me/root")),
            ("/tmp/roots", (0, "/home/me/root")),
        ]
        .into(),
        looks: Cell::new(0),
    }
}

fn check(root: &str, expect: Result<&str, (&str, Why)>) {
    let found = super::check(root.as_bytes(), ME, &tree());
    let text = |path: Vec<u8>| String::from_utf8(path).unwrap();
    let found = found
        .map(text)
        .map_err(|fault| (text(fault.path), fault.why));
    assert_eq!(
        found,
        expect
            .map(Into::into)
            .map_err(|(path, why)| (path.into(), why)),
        "{root}"
    );
}

#[test]
fn a_directory_that_only_the_user_and_root_can_change_is_safe() {
    check("/home/me/root", Ok("/home/me/root"));
    check("//home/./me//root/.", Ok("/home/me/root"));
    check(
        "/home/me/open/../root",
        Err(("/home/me/open", Why::Writable(0o770))),
    );
    check("/home/me/root/../../me/root", Ok("/home/me/root"));
    check("/opt/seed", Ok("/opt/seed"));
    check("/tmp/mine", Ok("/tmp/mine"));
    check("/", Ok("/"));
}

#[test]
fn one_look_for_each_component() {
    let tree = tree();
    super::check(b"/home/me/root", ME, &tree).unwrap();
    assert_eq!(tree.looks.get(), 4);
}

#[test]
fn a_directory_that_others_may_change_is_not() {
    check(
        "/home/me/open",
        Err(("/home/me/open", Why::Writable(0o770))),
    );
    check(
        "/home/me/open/root",
        Err(("/home/me/open", Why::Writable(0o770))),
    );
    check("/home/other", Err(("/home/other", Why::Owner(OTHER))));
    check("/home/other/mine", Err(("/home/other", Why::Owner(OTHER))));
    check("/tmp/other", Err(("/tmp/other", Why::Owner(OTHER))));
}

#[test]
fn a_sticky_directory_is_passed_through_but_is_no_root() {
    check("/tmp", Err(("/tmp", Why::Writable(0o1777))));
    check(
        "/home/me/sticky",
        Err(("/home/me/sticky", Why::Writable(0o1777))),
    );
    check("/tmp/mine/..", Err(("/tmp", Why::Writable(0o1777))));
}

#[test]
fn links_are_followed_and_their_targets_checked() {
    for link in ["link", "up", "chain"] {
        check(&alloc::format!("/home/me/{link}"), Ok("/home/me/root"));
    }
    check("/home/me/far", Ok("/tmp/mine"));
    check("/home/me/above", Ok("/tmp/mine"));
    check("/home/me/link/../link", Ok("/home/me/root"));
    check("/tmp/roots", Ok("/home/me/root"));
}

#[test]
fn a_link_that_another_planted_is_not_followed() {
    check("/tmp/planted", Err(("/tmp/planted", Why::Owner(OTHER))));
    check("/tmp/planted/x", Err(("/tmp/planted", Why::Owner(OTHER))));
}

#[test]
fn what_is_no_directory_is_said_to_be_none() {
    check("/home/me/file", Err(("/home/me/file", Why::NotDirectory)));
    check("/home/me/file/x", Err(("/home/me/file", Why::NotDirectory)));
    check("/home/me/new/x", Err(("/home/me/new", Why::Missing)));
    check("/home/me/gone", Err(("/home/me/nothing", Why::Missing)));
    check("/home/me/loop", Err(("/home/me/loop", Why::Links)));
    check("home/me/root", Err(("home/me/root", Why::Relative)));
    check("", Err(("", Why::Relative)));
}

/// A namespace in which only this user has a number: everything else belongs to `nobody`.
#[test]
fn root_by_another_number_is_root() {
    const NOBODY: u32 = 65534;
    let tree = Tree {
        directories: [
            ("/", (0o755, NOBODY)),
            ("/home", (0o755, NOBODY)),
            ("/home/me", (0o700, ME)),
            ("/tmp", (0o1777, NOBODY)),
            ("/tmp/mine", (0o700, ME)),
            ("/tmp/whose", (0o755, NOBODY)),
            ("/tmp/whose/mine", (0o700, ME)),
            ("/opt", (0o755, NOBODY)),
        ]
        .into(),
        ..Tree::default()
    };
    let fault = |root: &str| {
        super::check(root.as_bytes(), ME, &tree)
            .err()
            .map(|f| f.why)
    };
    assert_eq!(fault("/home/me"), None);
    assert_eq!(fault("/tmp/mine"), None);
    assert_eq!(
        fault("/tmp/whose/mine"),
        Some(Why::Owner(NOBODY)),
        "anybody may have made it"
    );
    assert_eq!(
        fault("/opt"),
        Some(Why::Owner(NOBODY)),
        "nor is it anybody's root"
    );
}
