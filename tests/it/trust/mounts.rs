//! File systems that are full, read-only, `noexec`, layered, or lack `/proc`. Each in a mount namespace of its own, which
//! goes with its last process; root alone can make one.

use std::process::Command;

use super::*;

/// Runs a script in a mount namespace, `$0` being the machine's directory, with HOME there; what it wrote.
#[track_caller]
pub fn isolated(stage: &Stage, script: &str) -> Outcome {
    let start = stage
        .start()
        .program("/bin/sh")
        .before(["unshare", "--mount"]);
    start.args(["-euc", script]).args([stage.root()]).run()
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left_of_the_attempt() {
    if !root("a full disk") {
        return;
    }
    let stage = stage("mount-full");
    // The smallest size at which it works is found on the way; below it each must fail in good order.
    let script = r#"
        cd "$0/work"
        for size in 40 80 120 160 200 400 800 1200 1600 2400; do
            mount -t tmpfs -o size=${size}k,mode=700 none "$0/home"
            code=0; ./app.pex >out 2>err || code=$?
            if [ $code = 0 ]; then echo works; umount "$0/home"; exit; fi
            echo "$size: $code $(wc -l <err) $(find "$0/home/.cache/pexboot/v2/tmp" -mindepth 1 | wc -l) $(cat err)"
            # Another start of the same, with room, goes on where this one ended.
            mount -o remount,size=40m "$0/home"
            ./app.pex 2>&1
            umount "$0/home"
        done"#;
    let run = isolated(&stage, script);
    run.ok();
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(
        lines.len() > 4 && *lines.last().unwrap() == "works",
        "{run}"
    );
    for pair in lines[..lines.len() - 1].chunks(2) {
        let words: Vec<_> = pair[0].split(' ').collect();
        assert_eq!(
            words[1..4],
            ["74", "1", "0"],
            "code, lines, leftovers\n{run}"
        );
        assert!(
            pair[0].contains("No space left") && pair[0].contains("PEX_ROOT"),
            "{run}"
        );
        assert_eq!(pair[1], SAYS, "{run}");
    }
}

#[test]
fn a_full_disk_has_no_inodes_left() {
    if !root("a disk without inodes") {
        return;
    }
    let stage = stage("mount-inodes");
    let script = r#"
        cd "$0/work"
        for count in 12 20 30 50; do
            mount -t tmpfs -o nr_inodes=$count,mode=700 none "$0/home"
            code=0; ./app.pex >out 2>err || code=$?
            echo "$code $(find "$0/home/.cache/pexboot/v2/tmp" -mindepth 1 | wc -l)"
            umount "$0/home"
        done"#;
    isolated(&stage, script)
        .ok()
        .prints("74 0\n74 0\n74 0\n74 0");
}

#[test]
fn a_read_only_root_that_is_complete_serves_without_a_write() {
    if !root("a read-only root") {
        return;
    }
    for kind in ["bind", "ext4"] {
        let stage = stage("mount-read-only");
        if kind == "ext4" && !makes_ext4(&stage) {
            crate::harness::coverage::left_out("a read-only ext4", "loop devices");
            continue;
        }
        let mount = match kind {
            "bind" => "mount --bind \"$0/home\" \"$0/home\"",
            _ => "mount -o loop \"$0/disk\" \"$0/home\"",
        };
        let script = format!(
            r#"{mount}
            cd "$0/work"
            ./app.pex a
            mount -o remount,ro,bind "$0/home" || mount -o remount,ro "$0/home"
            ! touch "$0/home/x" 2>/dev/null
            ./app.pex b
            strace -f -o trace -e trace=file,write ./app.pex c
            ! grep -E 'EROFS|O_WRONLY|O_RDWR|O_CREAT|mkdir|rename|unlink' trace | grep "$0/home"
            umount -l "$0/home""#
        );
        let run = isolated(&stage, &script);
        run.ok().prints(&format!("{SAYS} a\n{SAYS} b\n{SAYS} c"));
        assert!(run.stderr.is_empty(), "{run}");
    }
}

fn makes_ext4(stage: &Stage) -> bool {
    let script = "truncate -s 64M \"$0/disk\" && /sbin/mkfs.ext4 -q \"$0/disk\" && mount -o loop \"$0/disk\" \"$0/home\"";
    isolated(stage, script).code == Some(0)
}

#[test]
fn a_read_only_root_that_is_empty_is_passed_over_with_one_line() {
    if !root("an empty read-only root") {
        return;
    }
    let stage = stage("mount-empty");
    let script = r#"
        mount -t tmpfs -o ro none "$0/home"
        mount -t tmpfs -o mode=1777 none /var/tmp
        cd "$0/work"
        ./app.pex a
        ./app.pex b
        ls /var/tmp"#;
    let run = isolated(&stage, script);
    run.ok().prints(&format!("{SAYS} a\n{SAYS} b\npexboot-0"));
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    run.says("passed over");
}

#[test]
fn a_complete_read_only_root_is_complete_after_the_next_boot_too() {
    if !root("a read-only root of another boot") {
        return;
    }
    for warm in [true, false] {
        let stage = stage("mount-boot");
        if warm {
            let start = stage.start().program(crate::harness::PEXBOOT);
            start.args(["warm"]).args([&stage.pex]).run().ok();
        } else {
            starts(&stage.start().args(["a"]), &format!("{SAYS} a"));
        }
        damage::reboot(&stage);
        // Builders of images set times to what they like, and copies are other inodes.
        let script = r#"
            cd "$0/work"
            cp app.pex copy && touch -d @0 copy && mv copy app.pex
            mount --bind "$0/home" "$0/home"
            mount -o remount,ro,bind "$0/home"
            mount -t tmpfs -o mode=1777 none /var/tmp
            ./app.pex b
            ./app.pex c
            find /var/tmp -type d \( -name wheels -o -name code -o -name sites \)
            umount -l "$0/home""#;
        let run = isolated(&stage, script);
        run.ok().prints(&format!("{SAYS} b\n{SAYS} c"));
        if warm {
            assert_eq!(run.stderr, "", "it needs no other root\n{run}");
        }
    }
}

#[test]
fn with_a_good_seed_and_nothing_to_write_to_every_start_works() {
    if !root("nothing to write to") {
        return;
    }
    let stage = stage("mount-nothing");
    let start = stage.start().program(crate::harness::PEXBOOT);
    let seed = stage.path("seed");
    let warmed = start.args(["warm".as_ref(), "--root".as_ref(), seed.as_os_str()]);
    warmed.args([&stage.pex]).run().ok();
    let say = "import glob, os, sys, dep\n\
               links = [os.readlink(link) for link in glob.glob('/proc/self/fd/*') if os.path.islink(link)]\n\
               names = [name for name in os.environ if 'PEXBOOT' in name]\n\
               print([link for link in links if 'memfd' in link], names, '/' in sys.path, dep.WHO)\n";
    fs::write(stage.path("work/say.py"), say).unwrap();
    let script = r#"
        cd "$0/work"
        ln -s app.pex link
        ln -s /usr/bin "$0/bin"
        export PEXBOOT_SEEDS="$0/seed/pexboot"
        mount -o remount,ro,bind /
        for directory in /tmp /var/tmp /dev/shm; do
            mount --bind "$directory" "$directory" && mount -o remount,ro,bind "$directory" || true
        done
        said() { grep -v 'passed over' || true; }
        ./app.pex 1 2>&1 | said
        HOME=/nonexistent ./app.pex 2 2>&1 | said
        PEX_VERBOSE=1 ./app.pex 3 2>/dev/null
        PYTHONPATH=/x ./app.pex 4 2>&1 | said
        PATH="$0/bin:/usr/bin:/bin" ./app.pex 5 2>&1 | said
        PEX_EMIT_WARNINGS=0 ./app.pex 6 2>&1 | said
        PEX_MODULE=helper ./app.pex 7 2>&1 | said
        ./link 8 2>&1 | said
        PEX_INTERPRETER=1 ./app.pex say.py </dev/null 2>&1 | said"#;
    let run = isolated(&stage, script);
    let expect: Vec<String> = (1..7).map(|number| format!("{SAYS} {number}")).collect();
    let last = "[] ['PEXBOOT_SEEDS'] False dep 1.0";
    let expect = format!("{}\n{SAYS} 8\n{last}", expect.join("\n"));
    run.ok().prints(&expect);
}

#[test]
fn a_seed_is_read_and_never_written() {
    if !root("a read-only seed") {
        return;
    }
    let stage = stage("mount-seed");
    let script = r#"
        cd "$0/work"
        mkdir "$0/seed"
        HOME="$0/seed" ./app.pex a
        mount --bind "$0/seed" "$0/seed"
        mount -o remount,ro,bind "$0/seed"
        export PEXBOOT_SEEDS="$0/seed/.cache/pexboot"
        ./app.pex b
        ./app.pex c
        ls -A "$0/home"
        umount -l "$0/seed""#;
    let run = isolated(&stage, script);
    run.ok();
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(
        lines[..3],
        [
            format!("{SAYS} a"),
            format!("{SAYS} b"),
            format!("{SAYS} c")
        ],
        "{run}"
    );
    assert_eq!(lines[3..], [""; 0], "nothing is needed beside it\n{run}");
    assert!(run.stderr.is_empty(), "{run}");
}

#[test]
fn a_noexec_root_works_and_is_said_before_native_code_fails_to_load() {
    if !root("a noexec root") {
        return;
    }
    let native = Pex::app(
        "mount-native",
        "def main():\n    import dep\n    print(dep.WHO)\n",
    )
    .dep(
        Wheel::new("dep", "1.0")
            .tag("py3-none-linux_x86_64")
            .platlib(),
    )
    .build();
    for (pex, says, lines) in [(app("mount-noexec"), SAYS, 0), (native, "dep 1.0", 1)] {
        let stage = Stage::new(Way::Embedded, &pex);
        let script = r#"
            mount -t tmpfs -o noexec,mode=700 none "$0/home"
            cd "$0/work"
            ./app.pex
            ./app.pex"#;
        let run = isolated(&stage, script);
        run.ok().prints(&format!("{says}\n{says}"));
        assert_eq!(
            run.stderr.lines().count(),
            lines,
            "once, at the cold start\n{run}"
        );
        if lines > 0 {
            run.says("noexec").says("PEX_ROOT");
        }
    }
}

#[test]
fn a_container_image_with_a_warm_root_in_its_lower_layer() {
    if !root("overlayfs") {
        return;
    }
    let stage = stage("mount-overlay");
    // On a tmpfs, since an overlay can't lie on an overlay.
    let script = r#"
        cd "$0/work"
        ./app.pex a
        mount -t tmpfs none "$0/tmp"
        mkdir "$0/tmp/upper" "$0/tmp/work" "$0/tmp/lower"
        cp -a "$0/home/." "$0/tmp/lower"
        chmod 700 "$0/tmp/lower"
        mount -t overlay -o "lowerdir=$0/tmp/lower,upperdir=$0/tmp/upper,workdir=$0/tmp/work" none "$0/home" || exit 99
        ./app.pex b
        ./app.pex c
        # What lies in the lower layer cannot be moved; a damaged wheel there is mended all the same.
        rm "$0"/home/.cache/pexboot/v2/wheels/*/*/dep.py
        ./app.pex d 2>/dev/null
        ./app.pex e"#;
    let run = isolated(&stage, script);
    if run.code == Some(99) {
        return crate::harness::coverage::left_out("a warm root on overlayfs", "overlayfs");
    }
    let expect: Vec<String> = "abcde"
        .chars()
        .map(|letter| format!("{SAYS} {letter}"))
        .collect();
    run.ok().prints(&expect.join("\n"));
    assert!(run.stderr.is_empty(), "{run}");
}

#[test]
fn without_proc() {
    if !root("/proc not mounted") {
        return;
    }
    let stage = stage("mount-proc");
    let script = r#"
        umount -l /proc
        cd "$0/work"
        ./app.pex a
        ./app.pex b
        python3 app.pex c"#;
    let run = isolated(&stage, script);
    run.ok().prints(&format!("{SAYS} a\n{SAYS} b\n{SAYS} c"));
    assert!(run.stderr.is_empty(), "{run}");
}

#[test]
fn the_root_on_another_device_than_temporary_files() {
    if !root("a root of its own device") {
        return;
    }
    let stage = stage("mount-device");
    let script = r#"
        mount -t tmpfs none "$0/tmp"
        mount -t tmpfs -o mode=700 none "$0/home"
        cd "$0/work"
        ./app.pex a
        ./app.pex b"#;
    let run = isolated(&stage, script);
    run.ok().prints(&format!("{SAYS} a\n{SAYS} b"));
}

#[test]
fn embed_on_a_full_disk_leaves_the_file_as_it_was() {
    if !root("embed on a full disk") {
        return;
    }
    let pex = app("mount-embed");
    let stage = Stage::new(Way::Original, &pex);
    let script = format!(
        r#"size=$(stat -c %s "$0/work/app.pex")
        mount -t tmpfs -o size=$((size + 300000)) none "$0/tmp"
        cp "$0/work/app.pex" "$0/tmp/app.pex"
        code=0; {} embed "$0/tmp/app.pex" 2>&1 || code=$?
        cmp "$0/work/app.pex" "$0/tmp/app.pex"
        echo $code $(ls -A "$0/tmp")"#,
        env!("CARGO_BIN_EXE_pexboot")
    );
    let run = isolated(&stage, &script);
    let last = run.ok().stdout.lines().last().unwrap();
    assert_eq!(last, "74 app.pex", "{run}");
    assert!(run.stdout.contains("No space left"), "{run}");
}

/// No test above leaves a mount behind.
#[test]
fn mounts_end_with_their_namespace() {
    if !root("mount namespaces") {
        return;
    }
    let count = || {
        Command::new("cat")
            .arg("/proc/self/mounts")
            .output()
            .unwrap()
            .stdout
    };
    let stage = stage("mount-none");
    let before = count();
    isolated(&stage, "mount -t tmpfs none \"$0/home\"").ok();
    assert_eq!(count(), before);
}
