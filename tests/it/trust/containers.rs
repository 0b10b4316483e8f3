//! Containers as they are shipped: every set-up starts the application, and where a root survives the second start is
//! warm. Each lies in a mount namespace of its own, with the mounts, modes and ids that it has in the wild.

use std::fmt::Write as _;

use super::*;
use crate::harness::PEXBOOT;

/// The user of most images.
const USER: u32 = 1000;
/// The group that Kubernetes gives a volume.
const FS_GROUP: u32 = 3000;
/// As OpenShift makes them up.
const RANDOM: u32 = 1_000_650_000;

/// A read-only root file system, and nothing but what was mounted before.
const READ_ONLY: &str = "mount -o remount,bind,ro /; ! touch /var/tmp/x 2>/dev/null";

/// One container.
struct Container {
    stage: Stage,
    /// What is mounted and made, `$BOX` being the machine's directory.
    shell: String,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    env: Vec<(&'static str, String)>,
    /// What stands between `setpriv` and the application.
    inside: &'static str,
}

impl Container {
    /// A container in which HOME belongs to the user and can be written, and which has an empty `/var/tmp`.
    fn new(name: &str, uid: u32, gid: u32) -> Option<Container> {
        if !root(&format!("the container {name}")) {
            return None;
        }
        let stage = stage(&format!("container-{name}"));
        fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["home", "tmp"] {
            chown(stage.path(directory), Some(uid), Some(gid)).unwrap();
        }
        fs::create_dir(stage.path("volume")).unwrap();
        Some(Container {
            stage,
            shell: "mount -t tmpfs -o mode=1777 none /var/tmp".to_owned(),
            uid,
            gid,
            groups: Vec::new(),
            env: Vec::new(),
            inside: "",
        })
    }

    fn shell(mut self, line: &str) -> Self {
        write!(self.shell, "\n{line}").unwrap();
        self
    }

    /// Mounts an empty volume of this mode and group at `$BOX/volume`.
    fn volume(self, mode: &str, gid: u32) -> Self {
        self.shell(&format!(
            "mount -t tmpfs -o mode={mode},gid={gid} none $BOX/volume"
        ))
    }

    /// Nothing but the volume can be written.
    fn read_only(mut self) -> Self {
        self.shell.clear();
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        let here = self.stage.root().display().to_string();
        self.env.push((name, value.replace("$BOX", &here)));
        self
    }

    fn group(mut self, group: u32) -> Self {
        self.groups.push(group);
        self
    }

    /// Two starts in the same container, `before` the last of them.
    fn twice(&self, between: &str) -> Outcome {
        let groups = match self.groups.as_slice() {
            [] => "--clear-groups".to_owned(),
            [group, ..] => format!("--groups {group}"),
        };
        let ids = format!("--reuid {} --regid {} {groups}", self.uid, self.gid);
        let script = format!(
            "set -e\nBOX='{}'\n{}\nsetpriv {ids} {inside} \"$@\"\n{between}\nexec setpriv {ids} {inside} \"$@\"",
            self.stage.root().display(),
            self.shell,
            inside = self.inside,
        );
        let mut start = self.stage.start();
        for (name, value) in &self.env {
            start = match (*name, value.as_str()) {
                ("HOME", "") => start.without_env("HOME"),
                (name, value) => start.env(name, value),
            };
        }
        start
            .before(["unshare", "--mount", "bash", "-c", &script, "sh"])
            .run()
    }

    /// The first start keeps what it has made, saying this, or nothing; the second writes nothing.
    #[track_caller]
    fn is_warm_again(&self, says: Option<&str>) {
        // Whatever would write a byte to a file fails, a memory file for the engine included.
        let run = self.twice("ulimit -f 0");
        run.ok().prints(&format!("{SAYS}\n{SAYS}"));
        let said = i32::from(says.is_some());
        assert_eq!(run.stderr.lines().count(), said as usize, "{run}");
        if let Some(says) = says {
            run.says("pexboot: ").says(says);
        }
    }

    /// Nothing can be kept, which each of the starts says in one line.
    #[track_caller]
    fn runs_without_a_root(&self) {
        let run = self.twice("");
        run.ok().prints(&format!("{SAYS}\n{SAYS}"));
        let lines: Vec<&str> = run.stderr.lines().collect();
        let told = lines.iter().all(|line| {
            line.starts_with("pexboot: ") && line.ends_with("nothing is kept for the next start")
        });
        assert!(lines.len() == 2 && told, "{run}");
    }
}

/// A volume that is mounted for the cache.
#[track_caller]
fn named_volume(name: &str, mode: &str, group: u32, make: &str, root: &str) {
    let container = || {
        let container = Container::new(name, USER, USER)?.volume(mode, group);
        let container = if group == 0 {
            container
        } else {
            container.group(group)
        };
        Some(container.shell(make).env("PEX_ROOT", root))
    };
    let Some(untrusted) = container() else { return };
    untrusted.is_warm_again(Some("set PEXBOOT_TRUST to"));
    let trusted = container().unwrap().env("PEXBOOT_TRUST", "$BOX/volume");
    trusted.is_warm_again(None);
}

#[test]
fn a_root_on_an_empty_dir() {
    named_volume("empty-dir", "0777", 0, "", "$BOX/volume");
}

#[test]
fn a_root_on_an_empty_dir_with_a_group() {
    named_volume("fs-group", "2777", FS_GROUP, "", "$BOX/volume");
}

#[test]
fn a_root_on_a_persistent_volume_with_a_group() {
    named_volume("pvc", "2775", FS_GROUP, "", "$BOX/volume/cache");
}

#[test]
fn a_root_in_a_directory_of_ones_own_on_an_empty_dir() {
    let make = "mkdir -m 700 $BOX/volume/own; chown 1000:1000 $BOX/volume/own";
    named_volume("own-dir", "0777", 0, make, "$BOX/volume/own");
}

#[test]
fn a_volume_is_named_as_it_is_to_be_trusted() {
    let Some(container) = Container::new("way-out", USER, USER) else {
        return;
    };
    let container = container.volume("0777", 0).env("PEX_ROOT", "$BOX/volume");
    let volume = container.stage.root().join("volume");
    let way_out = format!("set PEXBOOT_TRUST to `{}`", volume.display());
    container.is_warm_again(Some(&way_out));
}

/// Each with a HOME that is `/`, or none, and as a user and as root.
fn read_only(name: &str, mode: &str, check: impl Fn(&Container)) {
    for (uid, home) in [(USER, "/"), (USER, ""), (0, "/"), (0, "")] {
        let Some(container) = Container::new(name, uid, uid) else {
            return;
        };
        let container = container.read_only().volume(mode, 0).shell(READ_ONLY);
        let container = container.env("HOME", home).env("TMPDIR", "$BOX/volume");
        check(&container);
    }
}

#[test]
fn a_read_only_root_file_system_with_an_empty_dir_for_temporary_files() {
    read_only("read-only-empty-dir", "0777", |container| {
        container.runs_without_a_root();
    });
}

#[test]
fn the_same_with_the_empty_dir_trusted() {
    for uid in [USER, 0] {
        let Some(container) = Container::new("read-only-trusted", uid, uid) else {
            return;
        };
        let container = container.read_only().volume("0777", 0).shell(READ_ONLY);
        let container = container.env("HOME", "/").env("TMPDIR", "$BOX/volume");
        let container = container.env("PEXBOOT_TRUST", "$BOX/volume");
        container.is_warm_again(Some("/volume/pexboot-"));
    }
}

#[test]
fn a_read_only_root_file_system_with_a_tmpfs_for_temporary_files() {
    read_only("read-only-tmpfs", "1777", |container| {
        container.is_warm_again(Some("/volume/pexboot-"));
    });
}

#[test]
fn a_random_user_of_group_0() {
    for named in [true, false] {
        let Some(container) = Container::new("random-user", RANDOM, 0) else {
            return;
        };
        let home = container.stage.home();
        chown(&home, Some(0), Some(0)).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o775)).unwrap();
        let container = match named {
            true => container.env("PEX_ROOT", "$BOX/home/.pex"),
            false => container,
        };
        container.is_warm_again(None);
    }
}

/// An image that another user of group 0 has warmed, as `chmod -R g=u` leaves it.
#[test]
fn a_seed_of_another_user_of_group_0() {
    for trusted in [false, true] {
        let Some(mut container) = Container::new("warmed-by-another", RANDOM, 0) else {
            return;
        };
        let warm = format!("env -u PEXBOOT_SEEDS HOME=/ {PEXBOOT} warm --root $BOX/volume \"$1\"");
        container = container
            .shell("mount -t tmpfs -o mode=755 none $BOX/volume")
            .shell(&warm)
            .shell("chown -R 1001:0 $BOX/volume; chmod -R g=u $BOX/volume")
            .env("PEXBOOT_SEEDS", "$BOX/volume/pexboot");
        if trusted {
            container = container.env("PEXBOOT_TRUST", "$BOX/volume/pexboot");
            container.is_warm_again(None);
            assert!(!home(&container.stage).exists());
        } else {
            container.is_warm_again(Some("seed `"));
        }
    }
}

#[test]
fn root_with_a_root_below_a_workspace_of_all() {
    for trusted in [false, true] {
        let Some(container) = Container::new("builds", 0, 0) else {
            return;
        };
        let container = container
            .volume("0777", 0)
            .shell("mkdir $BOX/volume/project; chown 1001:1001 $BOX/volume/project");
        let container = container.env("PEX_ROOT", "$BOX/volume/cache");
        match trusted {
            // Root owns the directory, so here this is an advice.
            false => container.is_warm_again(Some("run `chmod go-w")),
            true => container
                .env("PEXBOOT_TRUST", "$BOX/volume")
                .is_warm_again(None),
        }
    }
}

#[test]
fn root_with_the_workspace_of_another_as_home() {
    let Some(container) = Container::new("workspace", 0, 0) else {
        return;
    };
    chown(container.stage.home(), Some(1001), Some(1001)).unwrap();
    container.is_warm_again(Some("belongs to user 1001"));
    assert!(!home(&container.stage).exists());
}

#[test]
fn the_second_user_of_a_shared_root() {
    let first = "setpriv --reuid 1001 --regid 1001 --clear-groups env HOME=/ \"$1\" >/dev/null";
    for (mode, says) in [
        ("1777", "belongs to user 1001"),
        ("0777", "can be written by others"),
    ] {
        let Some(container) = Container::new("shared", USER, USER) else {
            return;
        };
        let container = container.env("PEX_ROOT", "$BOX/volume/shared");
        let make = "mkdir -p $BOX/volume/shared; chmod $MODE $BOX/volume/shared";
        let container = container
            .shell("mount -t tmpfs none $BOX/volume")
            .shell(&make.replace("$MODE", mode))
            .shell(&format!("{first} 2>/dev/null"));
        container.is_warm_again(Some(says));
    }
    // What the operator trusts is the directory, not each user of it.
    let Some(container) = Container::new("shared-trusted", USER, USER) else {
        return;
    };
    let container = container
        .volume("0777", 0)
        .env("PEX_ROOT", "$BOX/volume")
        .env("PEXBOOT_TRUST", "$BOX/volume")
        .shell(first);
    container.is_warm_again(Some("belongs to user 1001"));
}

#[test]
fn a_root_that_the_original_made_with_a_private_group() {
    let Some(container) = Container::new("umask", USER, USER) else {
        return;
    };
    let make = "install -d -m 775 -o 1000 -g 1000 $BOX/home/.pex $BOX/home/.pex/venvs";
    let container = container.shell(make).env("PEX_ROOT", "$BOX/home/.pex");
    container.is_warm_again(None);
}

#[test]
fn a_function_with_a_directory_of_its_own_for_temporary_files() {
    let Some(container) = Container::new("function", 993, 990) else {
        return;
    };
    let container = container
        .read_only()
        .shell("mount -t tmpfs -o mode=700,uid=993,gid=990 none $BOX/volume")
        .shell(READ_ONLY)
        .env("HOME", "/nowhere")
        .env("TMPDIR", "$BOX/volume");
    container.is_warm_again(Some("/volume/pexboot-993` is used"));
}

/// In a user namespace in which the user has no number, its files and everybody's show the same owner.
#[test]
fn a_user_without_a_number() {
    for (owner, own) in [(USER, true), (1001, false)] {
        let Some(mut container) = Container::new("numberless", USER, USER) else {
            return;
        };
        container.inside = "unshare --user";
        if !can_unshare() {
            return coverage::left_out("a user without a number", "user namespaces");
        }
        let root = container.stage.path("named");
        fs::create_dir_all(root.join("pexboot")).unwrap();
        for path in [root.join("pexboot"), root.clone()] {
            chown(&path, Some(owner), Some(owner)).unwrap();
        }
        // What belongs to root shows no owner there, and is not trusted in a directory like /tmp.
        chown(container.stage.root(), Some(USER), Some(USER)).unwrap();
        let container = container.env("PEX_ROOT", "$BOX/named");
        match own {
            true => container.is_warm_again(None),
            false => container.is_warm_again(Some("belongs to user 65534")),
        }
        let used = root.join("pexboot/v2").exists();
        assert_eq!(used, own, "whether the named root was used");
    }
}

fn can_unshare() -> bool {
    let mut command = std::process::Command::new("setpriv");
    command
        .args(&as_nobody()[1..])
        .args(["unshare", "--user", "true"]);
    command.status().unwrap().success()
}
