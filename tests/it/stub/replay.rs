//! Plans written by hand, and what becomes of them.

use super::*;

#[test]
fn a_plan_that_holds_is_executed_with_the_callers_arguments() {
    let scene = Scene::new();
    let mut plan = plan("echo $0 \"$@\"; exit 9");
    plan.inputs = vec![
        Input::Pex(scene.app.as_os_str().as_bytes().to_vec()),
        Input::File(place(&scene.app), identity(&scene.app)),
    ];
    scene.plan(&plan);
    let output = scene
        .command(&scene.app)
        .args(["x y", "", "z"])
        .output()
        .unwrap();
    check(&output, 9, "replayed x y  z\n", "");
}

#[test]
fn the_environment_is_the_callers_with_the_plans_changes() {
    let scene = Scene::new()
        .with("_PEXBOOT", "stale")
        .with("GONE", "1")
        .with("KEPT", "2");
    let real = scene.app.canonicalize().unwrap();
    let link = scene.path("link");
    symlink("app", &link).unwrap();
    let mut plan = plan("env");
    plan.exec.env = vec![
        EnvChange::Remove(b"GONE".to_vec()),
        EnvChange::RemovePrefix(b"PEX_".to_vec()),
        EnvChange::Set(b"PEX".to_vec(), Value::RealPex),
        EnvChange::Set(b"INVOKED".to_vec(), Value::InvokedPex),
    ];
    scene.plans_at(&scene.root(), &link, &scene.encoded(&plan));
    let output = scene.command(&link).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("PWD=") && !line.starts_with("_="))
        .collect();
    lines.retain(|line| !line.starts_with("SHLVL=") && !line.starts_with("OLDPWD"));
    lines.sort_unstable();
    let expect = [
        format!("INVOKED={}", link.display()),
        "KEPT=2".into(),
        "PATH=/usr/bin:/bin".into(),
        format!("PEX={}", real.display()),
        format!("XDG_CACHE_HOME={}", scene.path("cache").display()),
    ];
    assert_eq!(lines, expect);
}

#[test]
fn the_process_stays_the_same() {
    let scene = Scene::new();
    scene.plan(&plan("echo $$; kill -TERM $$"));
    let child = scene
        .command(&scene.app)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{pid}\n"));
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(15)
    );
}

/// Which of the first descriptors are open, as a shell finds them, but for the lock that an engine is left; written to
/// `$OUT`.
const DESCRIPTORS: &str = "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do
    [ $n != \"${_PEXBOOT_LOCK%%:*}\" ] && [ -e /proc/$$/fd/$n ] && open=\"$open $n\"; done; echo \"open:$open\" > \"$OUT\"";

/// The descriptors that a shell sees when `start` (a shell command line) starts it with `-c DESCRIPTORS`.
fn descriptors(scene: &Scene, start: &str, program: &Path) -> String {
    let out = scene.path("out");
    let status = scene
        .command(Path::new("/bin/sh"))
        .args(["-c", start])
        .arg(program)
        .args(["-c", DESCRIPTORS])
        .env("OUT", &out)
        .status()
        .unwrap();
    assert!(status.success());
    fs::read_to_string(out).unwrap()
}

#[test]
fn descriptors_are_those_of_the_caller() {
    for start in [
        "exec \"$0\" \"$@\"",
        "exec \"$0\" \"$@\" <&- >&- 2>&-",
        "exec \"$0\" \"$@\" <&- 7</dev/null",
    ] {
        let warm = Scene::new();
        warm.plan(&plan(DESCRIPTORS));
        let bare = descriptors(&warm, start, Path::new("/bin/sh"));
        assert_eq!(
            descriptors(&warm, start, &warm.app),
            bare,
            "replay, {start}"
        );
        let cold = Scene::new();
        assert_eq!(
            descriptors(&cold, start, &cold.app),
            bare,
            "engine, {start}"
        );
    }
}

#[test]
fn a_plan_that_does_not_hold_is_passed_over() {
    let scene = Scene::new();
    let mut broken = plan(SAY);
    broken.inputs = vec![Input::Absent(place(&scene.app))];
    scene.plan(&broken);
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn of_several_plans_the_first_that_holds_is_executed() {
    let scene = Scene::new().with("WHICH", "b");
    let files = vec![identity(&scene.app)];
    let plans: Vec<Plan> = ["a", "b", "b"]
        .iter()
        .enumerate()
        .map(|(number, which)| Plan {
            files: files.clone(),
            inputs: vec![Input::Variable(b"WHICH".to_vec(), Some((*which).into()))],
            ..plan(&format!("echo {number}"))
        })
        .collect();
    scene.plans_at(&scene.root(), &scene.app, &encode(&plans));
    check(&scene.run("x"), 0, "1\n", "");
}

#[test]
fn another_file_of_the_same_seal_waits_for_its_content_to_be_checked() {
    let scene = Scene::new();
    scene.plan(&plan(SAY));
    let copy = scene.path("copies/app");
    fs::create_dir(scene.path("copies")).unwrap();
    write_program(&copy, &fs::read(&scene.app).unwrap());
    let start = |app: &Path| scene.command(app).args(["-c", "echo engine"]).output();
    check(&start(&copy).unwrap(), 0, "engine\n", "");
    let known = Plan {
        files: vec![identity(&scene.app), identity(&copy)],
        ..plan("echo replayed")
    };
    scene.plans_at(&scene.root(), &scene.app, &encode(&[known]));
    check(&start(&copy).unwrap(), 0, "replayed\n", "");
    check(&start(&scene.app).unwrap(), 0, "replayed\n", "");
}

#[test]
fn in_a_seed_a_file_is_known_by_its_seal_and_size() {
    let mut scene = Scene::new();
    scene.seal.file_size = fs::metadata(&scene.app).unwrap().len();
    let mut bytes = fs::read(&scene.app).unwrap();
    bytes[SEAL_OFFSET..SEAL_OFFSET + SEAL_SIZE].copy_from_slice(&scene.seal.encode().unwrap());
    write_program(&scene.app, &bytes);
    let seed = scene.path("seed");
    let scene = scene.with("PEXBOOT_SEEDS", &seed);
    let told = |fingerprint| Plan {
        fingerprint,
        portable: true,
        ..plan("echo replayed")
    };
    scene.plans_at(&seed, &scene.app, &encode(&[told([7; 32])]));
    check(&scene.run("echo engine"), 0, "replayed\n", "");
    scene.plans_at(&seed, &scene.app, &encode(&[told([8; 32])]));
    check(&scene.run("echo engine"), 0, "engine\n", "");
    // A plan for others counts nowhere else.
    scene.plans_at(&scene.root(), &scene.app, &encode(&[told([7; 32])]));
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_damaged_plan_is_no_plan() {
    let scene = Scene::new();
    let good = scene.encoded(&plan(SAY));
    let mut flipped = good.clone();
    flipped[40] ^= 1;
    for bytes in [&good[..good.len() - 1], &flipped, b"", b"pexplans"] {
        scene.plans_at(&scene.root(), &scene.app, bytes);
        check(&scene.run("echo engine"), 0, "engine\n", "");
    }
}

#[test]
fn a_plan_whose_program_is_gone_leads_to_the_engine() {
    let scene = Scene::new();
    let mut plan = plan(SAY);
    plan.exec.program = b"/nonexistent/python".to_vec();
    scene.plan(&plan);
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_plan_of_another_boot_is_passed_over() {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| u8::try_from(d).unwrap())
        .collect();
    let mut boot_id = [0; 16];
    for (byte, pair) in boot_id.iter_mut().zip(digits.chunks(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    let scene = Scene::new();
    scene.plan(&Plan {
        boot_id,
        ..plan(SAY)
    });
    check(
        &scene.run("echo engine"),
        0,
        "replayed -c echo engine a b\n",
        "",
    );
    boot_id[0] ^= 1;
    scene.plan(&Plan {
        boot_id,
        ..plan(SAY)
    });
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_root_that_others_may_write_to_is_not_trusted() {
    let scene = Scene::new();
    scene.plan(&plan(SAY));
    for directory in [scene.root(), scene.path("pex")] {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        check(&scene.run("echo engine"), 0, "engine\n", "");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let plan = scene.plan(&plan(SAY));
    fs::set_permissions(plan, fs::Permissions::from_mode(0o666)).unwrap();
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_seed_is_used_and_left_alone() {
    let scene = Scene::new();
    let seed = scene.path("seed");
    let scene = scene.with("PEXBOOT_SEEDS", &seed);
    let path = scene.plans_at(&seed, &scene.app, &scene.encoded(&plan(SAY)));
    let old = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    check(
        &scene.run("echo engine"),
        0,
        "replayed -c echo engine a b\n",
        "",
    );
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), old);
}

#[test]
fn a_plan_in_use_is_stamped_once_a_day() {
    let scene = Scene::new();
    let path = scene.plan(&plan(SAY));
    let stamp = |age: u64| {
        let before = SystemTime::now() - Duration::from_secs(age);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(before)
            .unwrap();
        check(&scene.run(""), 0, "replayed -c a b\n", "");
        before != fs::metadata(&path).unwrap().modified().unwrap()
    };
    assert!(!stamp(3600), "an hour old: left alone");
    assert!(stamp(25 * 3600), "a day old: stamped");
}

#[test]
fn the_file_is_known_by_the_path_it_was_invoked_by() {
    let scene = Scene::new();
    let mut say = plan("echo $FILE $REAL");
    say.exec.env = vec![
        EnvChange::Set(b"FILE".to_vec(), Value::InvokedPex),
        EnvChange::Set(b"REAL".to_vec(), Value::RealPex),
    ];
    scene.plan(&say);
    let real = scene.app.canonicalize().unwrap();
    let expect = |invoked: &Path| format!("{} {}\n", invoked.display(), real.display());

    for relative in ["./app", ".//app", "././/app"] {
        let mut command = scene.command(Path::new("/bin/sh"));
        let output = command
            .args(["-c", "exec \"$0\""])
            .arg(relative)
            .output()
            .unwrap();
        check(&output, 0, &expect(&scene.path("app")), "");
    }

    let outside = tempfile::tempdir().unwrap();
    let link = outside.path().join("app");
    symlink(&scene.app, &link).unwrap();
    check(
        &scene.command(&link).output().unwrap(),
        0,
        &expect(&link),
        "",
    );

    // As the interpreter of a script the stub is the file, not the script.
    let script = outside.path().join("script");
    write_program(&script, format!("#!{}\n", scene.app.display()).as_bytes());
    check(
        &scene.command(&script).output().unwrap(),
        0,
        &expect(&real),
        "",
    );

    // Out of a copy, for a caller that names the file.
    let copy = outside.path().join("copy");
    write_program(&copy, &fs::read(&scene.app).unwrap());
    let output = scene
        .command(&copy)
        .env("_PEXBOOT_FILE", &link)
        .output()
        .unwrap();
    check(&output, 0, &expect(&link), "");
}

#[test]
fn two_megabytes_of_arguments_and_environment_are_no_trouble() {
    let scene = Scene::new();
    scene.plan(&plan("echo $# ${#LARGE}"));
    let start = |program: &Path| {
        let mut command = scene.command(program);
        for n in 0..8 {
            command.env(format!("LARGE{n}"), "x".repeat(120_000));
        }
        command.env("LARGE", "x".repeat(120_000));
        command.args(["-c", "echo engine $# ${#LARGE}", "0"]);
        command
            .args(std::iter::repeat_n("y".repeat(1000), 900))
            .output()
            .unwrap()
    };
    check(&start(&scene.app), 0, "903 120000\n", "");
    let cold = scene.path("cold");
    write_program(&cold, &fs::read(&scene.app).unwrap());
    check(&start(&cold), 0, "engine 900 120000\n", "");
}
