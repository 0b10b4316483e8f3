//! A root on each file system that there is for it here, made in a file and mounted in a namespace of its own. What they
//! differ in counts for a plan: times in whole seconds, numbers of files, renames with flags, hard and symbolic links.

use std::process::Command;

use super::mounts::isolated;
use super::*;
use crate::harness::long_tier;
use crate::userlands::tools;

/// Starts twice, and once more when it was mounted anew; the first start alone makes a plan.
#[track_caller]
fn holds(kind: &str, make: &str, mount: &str) {
    let stage = stage(&format!("filesystem-{kind}"));
    let script = format!(
        r#"cd "$0"
        truncate -s 400M disk
        {{ {make} && mkdir -p lower upper work2 && {mount}; }} >&2 || exit 99
        plans() {{ ls -i "$0/home/.cache/pexboot/v2/plans"; }}
        cd work
        ./app.pex a
        made=$(plans)
        ./app.pex b
        [ "$made" = "$(plans)" ] || echo "cold again"
        # A damaged wheel is mended there too.
        rm "$0"/home/.cache/pexboot/v2/wheels/*/*/dep.py
        ./app.pex c
        cd ..
        umount home || umount -l home"#
    );
    let run = isolated(&stage, &script);
    if run.code == Some(99) {
        return coverage::left_out(kind, "this file system, its tools and loop devices");
    }
    run.ok().prints(&format!("{SAYS} a\n{SAYS} b\n{SAYS} c"));
}

/// Times in whole seconds: what comes in the second of the first start must still be seen.
#[test]
fn ext2_and_tmpfs() {
    if root("file systems") {
        holds(
            "ext2",
            "/sbin/mkfs.ext2 -q -I 128 disk 2>/dev/null",
            "mount -o loop disk home",
        );
        holds("tmpfs", "true", "mount -t tmpfs none home");
    }
}

/// exFAT, as a process brings it, has neither hard nor symbolic links, nor rights of a file's own.
#[test]
fn xfs_btrfs_exfat_and_overlayfs_in_a_process() {
    if !long_tier("XFS, Btrfs, exFAT, fuse-overlayfs") || !root("file systems") {
        return;
    }
    let Some(tools) = tools("filesystems") else {
        return;
    };
    let tool = |name: &str| {
        let root = tools.display();
        let libraries = format!("{root}/usr/lib/x86_64-linux-gnu");
        format!("{root}/lib64/ld-linux-x86-64.so.2 --library-path {libraries} {root}/usr/{name}")
    };
    let works = |name: &str| {
        let run = Command::new("sh")
            .args(["-c", &format!("{} --version", tool(name))])
            .output();
        run.is_ok_and(|run| run.status.success())
    };
    assert!(works("bin/fuse-overlayfs"));
    let mount = "mount -o loop disk home";
    holds("xfs", &format!("{} -q disk", tool("sbin/mkfs.xfs")), mount);
    holds(
        "btrfs",
        &format!("{} -q disk", tool("sbin/mkfs.btrfs")),
        mount,
    );
    let layers = "lowerdir=lower,upperdir=upper,workdir=work2";
    let mount = format!("{} -o {layers} home", tool("bin/fuse-overlayfs"));
    holds("fuse-overlayfs", "true", &mount);
    let mount = format!(
        "device=$(/sbin/losetup -f --show disk) && {} -o umask=077 \"$device\" home && /sbin/losetup -d \"$device\" && \
         ! ln -s disk home/link && echo > home/file && ! ln home/file home/link",
        tool("sbin/mount.exfat-fuse")
    );
    let make = format!("{} disk", tool("sbin/mkfs.exfat"));
    holds("exfat", &make, &mount);
}
