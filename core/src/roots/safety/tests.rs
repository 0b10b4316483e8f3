//! Roots that can be trusted, and roots that cannot.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cell::Cell;

use super::*;

const ME: u32 = 1000;
const OTHER: u32 = 1001;
/// The group of a volume.
const FS: u32 = 3000;
/// A path of this name has an access control list.
const ACL: &str = "/home/me/acl";

/// A file system: directories (mode, owner, group) and links (owner, target).
#[derive(Default)]
struct Tree {
    directories: BTreeMap<&'static str, (u32, u32, u32)>,
    links: BTreeMap<&'static str, (u32, &'static str)>,
    /// What is the user's, whatever number it shows.
    owned: Vec<&'static str>,
    looks: Cell<u32>,
}

impl Eyes for Tree {
    fn lstat(&self, path: &[u8]) -> Result<Seen, Why> {
        self.looks.set(self.looks.get() + 1);
        let path = str::from_utf8(path).unwrap();
        let seen = |kind, (mode, uid, gid)| {
            Ok(Seen {
                kind,
                mode,
                uid,
                gid,
            })
        };
        if let Some(&of) = self.directories.get(path) {
            seen(SeenKind::Directory, of)
        } else if let Some(&(uid, _)) = self.links.get(path) {
            seen(SeenKind::Link, (0o777, uid, uid))
        } else if path.ends_with("/file") {
            seen(SeenKind::File, (0o644, ME, ME))
        } else if path.ends_with("/foreign-file") {
            seen(SeenKind::File, (0o644, OTHER, OTHER))
        } else if path.ends_with("/open-file") {
            seen(SeenKind::File, (0o666, ME, ME))
        } else if path.ends_with("/pipe") {
            seen(SeenKind::Other, (0o600, ME, ME))
        } else {
            Err(Why::Missing)
        }
    }

    fn readlink(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.links
            .get(str::from_utf8(path).unwrap())
            .map(|(_, target)| target.as_bytes().to_vec())
    }

    fn owns(&self, path: &[u8]) -> bool {
        self.owned.iter().any(|owned| owned.as_bytes() == path)
    }

    fn has_acl(&self, path: &[u8]) -> bool {
        path == ACL.as_bytes()
    }
}

fn tree() -> Tree {
    Tree {
        directories: [
            ("/", (0o755, 0, 0)),
            ("/home", (0o755, 0, 0)),
            ("/home/me", (0o755, ME, ME)),
            ("/home/me/root", (0o700, ME, ME)),
            ("/home/me/open", (0o770, ME, FS)),
            ("/home/me/open/root", (0o700, ME, ME)),
            ("/home/me/private", (0o775, ME, ME)),
            ("/home/me/private/root", (0o2775, ME, ME)),
            (ACL, (0o775, ME, ME)),
            ("/home/me/sticky", (0o1777, ME, ME)),
            ("/home/other", (0o755, OTHER, OTHER)),
            ("/home/other/mine", (0o700, ME, ME)),
            ("/tmp", (0o1777, 0, 0)),
            ("/tmp/mine", (0o700, ME, ME)),
            ("/tmp/other", (0o700, OTHER, OTHER)),
            ("/opt", (0o755, 0, 0)),
            ("/opt/seed", (0o755, 0, 0)),
            ("/opt/shift", (0o775, 0, 0)),
            ("/opt/shift/root", (0o770, ME, 0)),
            ("/opt/group", (0o775, 0, ME)),
            ("/volume", (0o2777, 0, FS)),
            ("/volume/mine", (0o700, ME, FS)),
            ("/volume/shared", (0o2775, 0, FS)),
            ("/volume/shared/mine", (0o2770, ME, FS)),
            ("/volume/other", (0o755, OTHER, FS)),
            ("/volume/open", (0o777, ME, FS)),
            ("/outside", (0o777, 0, 0)),
            ("/outside/mine", (0o700, ME, ME)),
            ("/outside/volume", (0o777, OTHER, OTHER)),
            ("/outside/volume/theirs", (0o775, OTHER, OTHER)),
            ("/seed", (0o770, OTHER, 0)),
            ("/seed/v2", (0o770, OTHER, 0)),
            ("/bare", (0o777, 0, 0)),
            ("/bare/v2", (0o777, OTHER, OTHER)),
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
            ("/volume/out", (ME, "/outside/mine")),
            ("/volume/beside", (ME, "../outside/mine")),
            ("/volume/back", (ME, "/volume/mine")),
            ("/volume/planted", (OTHER, "/home/me/root")),
            ("/data", (OTHER, "/outside/volume")),
            ("/outside/link", (ME, "/home/me/root")),
            ("/outside/in", (OTHER, "/volume/mine")),
        ]
        .into(),
        ..Tree::default()
    }
}

fn me(trust: &str) -> User<'_> {
    User {
        uid: ME,
        gid: ME,
        trust: trust.as_bytes(),
    }
}

#[track_caller]
fn check(root: &str, expect: Result<&str, (&str, Why)>) {
    check_by(me(""), root, expect);
}

#[track_caller]
fn check_by(user: User<'_>, root: &str, expect: Result<&str, (&str, Why)>) {
    let found = super::check(root.as_bytes(), user, &tree());
    let text = |path: Vec<u8>| String::from_utf8(path).unwrap();
    let found = found
        .map(|safe| text(safe.path))
        .map_err(|fault| (text(fault.path), fault.why));
    assert_eq!(
        found,
        expect
            .map(Into::into)
            .map_err(|(path, why)| (path.into(), why)),
        "{root}"
    );
}

/// Others may write to what this user, or root, owns.
fn writable(mode: u32, owner: u32) -> Why {
    Why::Writable { mode, owner }
}

#[test]
fn a_directory_that_only_the_user_and_root_can_change_is_safe() {
    check("/home/me/root", Ok("/home/me/root"));
    check("//home/./me//root/.", Ok("/home/me/root"));
    check(
        "/home/me/open/../root",
        Err(("/home/me/open", writable(0o770, ME))),
    );
    check("/home/me/root/../../me/root", Ok("/home/me/root"));
    check("/opt/seed", Ok("/opt/seed"));
    check("/tmp/mine", Ok("/tmp/mine"));
    check("/", Ok("/"));
}

#[test]
fn one_look_for_each_component() {
    let tree = tree();
    super::check(b"/home/me/root", me(""), &tree).unwrap();
    assert_eq!(tree.looks.get(), 4);
}

#[test]
fn a_directory_that_others_may_change_is_not() {
    check("/home/me/open", Err(("/home/me/open", writable(0o770, ME))));
    check(
        "/home/me/open/root",
        Err(("/home/me/open", writable(0o770, ME))),
    );
    check("/home/other", Err(("/home/other", Why::Owner(OTHER))));
    check("/home/other/mine", Err(("/home/other", Why::Owner(OTHER))));
    check("/tmp/other", Err(("/tmp/other", Why::Owner(OTHER))));
}

#[test]
fn a_sticky_directory_is_passed_through_but_is_no_root() {
    check("/tmp", Err(("/tmp", writable(0o1777, 0))));
    check(
        "/home/me/sticky",
        Err(("/home/me/sticky", writable(0o1777, ME))),
    );
    check("/tmp/mine/..", Err(("/tmp", writable(0o1777, 0))));
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

#[test]
fn the_users_private_group_and_group_0_are_no_others() {
    check("/home/me/private/root", Ok("/home/me/private/root"));
    check("/opt/shift/root", Ok("/opt/shift/root"));
    // The number alone does not make a group private: root's directory is not the user's.
    check("/opt/group", Err(("/opt/group", writable(0o775, 0))));
    let shared = "/home/me/private";
    let other_group = User { gid: FS, ..me("") };
    check_by(other_group, shared, Err((shared, writable(0o775, ME))));
    check(ACL, Err((ACL, writable(0o775, ME))));
}

#[test]
fn below_a_trusted_directory_its_owner_and_its_group_count_as_root() {
    let untrusted = Err(("/volume", writable(0o2777, 0)));
    check("/volume/mine", untrusted);
    check_by(me("/other"), "/volume/mine", untrusted);
    for trust in ["/volume", "/nowhere:/volume/", "volume:/home/../volume"] {
        let user = me(trust);
        check_by(user, "/volume/mine", Ok("/volume/mine"));
        check_by(user, "/volume/shared/mine", Ok("/volume/shared/mine"));
        check_by(user, "/volume/back", Ok("/volume/mine"));
        check_by(user, "/volume/new", Err(("/volume/new", Why::Missing)));
    }
    // Anybody else is as suspect there as everywhere.
    let user = me("/volume");
    let owner = Err(("/volume/other", Why::Owner(OTHER)));
    check_by(user, "/volume/other", owner);
    check_by(user, "/volume/other/new", owner);
    let open = Err(("/volume/open", writable(0o777, ME)));
    check_by(user, "/volume/open", open);
}

#[test]
fn what_is_above_a_trusted_directory_passes_and_what_is_beside_it_does_not() {
    let theirs = "/outside/volume/theirs";
    check_by(me("/outside/volume"), theirs, Ok(theirs));
    // Known by a name that leads through a stranger's link.
    for root in [theirs, "/data/theirs"] {
        check_by(me("/data"), root, Ok(theirs));
    }
    let beside = Err(("/outside", writable(0o777, 0)));
    check_by(me("/outside/volume"), "/outside/mine", beside);
    check_by(me("/outside/volume"), "/outside/volume/../mine", beside);
    check_by(me("/outside/volume"), "/outside/new", beside);
    // Others could have laid a link in the one that is passed through.
    check_by(me("/volume"), "/outside/../home/me/root", beside);
    check_by(me("/volume"), "/outside/link", beside);
    check_by(me("/volume"), "/outside/in", Ok("/volume/mine"));
}

#[test]
fn a_link_out_of_a_trusted_directory_is_judged_like_any_other() {
    let user = me("/volume");
    let outside = Err(("/outside", writable(0o777, 0)));
    check_by(user, "/volume/out", outside);
    check_by(user, "/volume/beside", outside);
    let planted = Err(("/volume/planted", Why::Owner(OTHER)));
    check_by(user, "/volume/planted", planted);
}

#[test]
fn a_root_that_is_a_trusted_directory_is_judged_by_its_format_directory() {
    check_by(me("/seed"), "/seed", Ok("/seed"));
    let theirs = Err(("/bare/v2", Why::Owner(OTHER)));
    check_by(me("/bare"), "/bare", theirs);
    check_by(me("/volume"), "/volume", Ok("/volume"));
}

#[test]
fn a_file_is_trusted_by_who_may_write_to_its_root() {
    let file = |mode, uid, gid| Seen {
        kind: SeenKind::File,
        mode,
        uid,
        gid,
    };
    let root = |trust, root: &str| super::check(root.as_bytes(), me(trust), &tree()).unwrap();
    let mine = root("", "/home/me/root");
    for (seen, expect) in [
        (file(0o644, ME, ME), true),
        (file(0o664, ME, ME), true),
        (file(0o664, 0, 0), true),
        (file(0o664, ME, FS), false),
        (file(0o666, ME, ME), false),
        (file(0o644, OTHER, OTHER), false),
    ] {
        assert_eq!(mine.trusts(seen), expect, "{seen:?}");
    }
    let seed = root("/seed", "/seed");
    assert!(seed.trusts(file(0o664, OTHER, 0)));
    assert!(!seed.trusts(file(0o646, OTHER, 0)));
    assert!(root("/volume", "/volume/mine").trusts(file(0o664, ME, FS)));
}

#[test]
fn a_file_by_its_path() {
    let check = |path: &str, expect: Result<&str, Why>| {
        let found = super::check_file(path.as_bytes(), me(""), &tree());
        let found = found.map(|path| String::from_utf8(path).unwrap());
        assert_eq!(found.map_err(|fault| fault.why), expect.map(Into::into));
    };
    check("/home/me/file", Ok("/home/me/file"));
    check("/home/me/up/file", Ok("/home/me/root/file"));
    check("/tmp/file", Ok("/tmp/file"));
    check("/home/me/open-file", Err(writable(0o666, ME)));
    check("/home/me/foreign-file", Err(Why::Owner(OTHER)));
    check("/home/other/file", Err(Why::Owner(OTHER)));
    check("/home/me/open/file", Err(writable(0o770, ME)));
    check("/home/me/pipe", Err(Why::NotDirectory));
    check("/home/me/root", Err(Why::NotDirectory));
    check("/home/me/none", Err(Why::Missing));
}

/// A namespace in which only this user has a number: everything else belongs to `nobody`.
#[test]
fn root_by_another_number_is_root() {
    let tree = numberless();
    let fault = |root: &str| {
        super::check(root.as_bytes(), me(""), &tree)
            .err()
            .map(|f| f.why)
    };
    assert_eq!(fault("/home/me"), None);
    assert_eq!(fault("/tmp/mine"), None);
    assert_eq!(
        fault("/tmp/whose/mine"),
        Some(Why::Owner(NUMBERLESS)),
        "anybody may have made it"
    );
    assert_eq!(
        fault("/opt"),
        Some(Why::Owner(NUMBERLESS)),
        "nor is it anybody's root"
    );
}

fn numberless() -> Tree {
    Tree {
        directories: [
            ("/", (0o755, NUMBERLESS, NUMBERLESS)),
            ("/home", (0o755, NUMBERLESS, NUMBERLESS)),
            ("/home/me", (0o700, ME, ME)),
            ("/srv", (0o755, NUMBERLESS, NUMBERLESS)),
            ("/srv/numberless", (0o700, NUMBERLESS, NUMBERLESS)),
            ("/tmp", (0o1777, NUMBERLESS, NUMBERLESS)),
            ("/tmp/mine", (0o700, ME, ME)),
            ("/tmp/whose", (0o755, NUMBERLESS, NUMBERLESS)),
            ("/tmp/whose/mine", (0o700, ME, ME)),
            ("/opt", (0o755, NUMBERLESS, NUMBERLESS)),
        ]
        .into(),
        ..Tree::default()
    }
}

/// Everybody's files show the user's own number: once, all of them were the user's.
#[test]
fn a_user_without_a_number_owns_what_the_system_says() {
    let user = User {
        uid: NUMBERLESS,
        gid: NUMBERLESS,
        trust: b"",
    };
    let mut tree = numberless();
    let fault = |tree: &Tree, root: &str| {
        super::check(root.as_bytes(), user, tree)
            .err()
            .map(|f| f.why)
    };
    for root in ["/srv/numberless", "/tmp/whose", "/opt"] {
        assert_eq!(fault(&tree, root), Some(Why::Owner(NUMBERLESS)), "{root}");
    }
    tree.owned = alloc::vec!["/srv/numberless", "/tmp/whose"];
    assert_eq!(fault(&tree, "/srv/numberless"), None);
    assert_eq!(fault(&tree, "/tmp/whose"), None);
    assert_eq!(fault(&tree, "/opt"), Some(Why::Owner(NUMBERLESS)));
}
