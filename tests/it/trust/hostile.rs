//! Files that lie, to be trusted or to write where they should not. What each shape of entry comes to is the table in
//! `docs/reliability.md`; the rows about headers are held by the unit tests of `src/archive`.

use std::process::{Command, Stdio};

use super::*;

/// A PEX whose zip was written anew by this Python: `items` is a list of [ZipInfo, bytes], the archive is written by
/// appending to `out`.
fn forged(pex: &Built, change: &str) -> (tempfile::TempDir, Built) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("forged.pex");
    let script = format!(
        "import sys, zipfile, json, zlib\n\
         Z = zipfile.ZipInfo\n\
         source = open(sys.argv[1], 'rb')\n\
         shebang = source.readline()\n\
         with zipfile.ZipFile(sys.argv[1]) as archive:\n    \
             items = [[info, archive.read(info)] for info in archive.infolist()]\n\
         def find(end):\n    \
             return next(item for item in items if item[0].filename.endswith(end))\n\
         def add(name, data, mode=0o100644):\n    \
             info = Z('x'); info.filename = info.orig_filename = name\n    \
             info.create_system, info.external_attr = 3, mode << 16\n    \
             items.append([info, data])\n\
         {change}\n\
         with open(sys.argv[2], 'wb') as out:\n    \
             out.write(shebang)\n\
         import warnings; warnings.simplefilter('ignore')\n\
         with zipfile.ZipFile(sys.argv[2], 'a') as archive:\n    \
             for info, data in items:\n        \
                 archive.writestr(info, data)\n"
    );
    let output = Command::new(crate::fixtures::PYTHON)
        .args(["-c", &script])
        .args([&pex.path, &path])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, Built { path })
}

/// Bytes of equal length and CRC-32 in which the last four make up for the others (Python).
const SAME_CRC: &str = "
def same_crc(old, new):
    assert len(new) + 4 == len(old)
    # Four bytes behind `new` give any CRC: solved bit by bit, as it is linear.
    base = zlib.crc32(new + bytes(4)); want = zlib.crc32(old) ^ base
    rows = [(zlib.crc32(new + (1 << bit).to_bytes(4, 'little')) ^ base, 1 << bit) for bit in range(32)]
    tail = 0
    for bit in reversed(range(32)):
        pivot = next(row for row in rows if row[0] >> bit & 1)
        rows.remove(pivot)
        rows = [(r ^ pivot[0], t ^ pivot[1]) if r >> bit & 1 else (r, t) for r, t in rows]
        if want >> bit & 1: want ^= pivot[0]; tail ^= pivot[1]
    made = new + tail.to_bytes(4, 'little')
    assert zlib.crc32(made) == zlib.crc32(old) and len(made) == len(old)
    return made
";

#[test]
fn a_wheel_forged_to_equal_path_size_and_crc_reaches_no_other_pex() {
    let text = format!("WHO = 'honest'\n#{}\n", "-".repeat(60));
    let pex = Pex::app(
        "hostile-crc",
        "def main():\n    import dep\n    print(dep.WHO)\n",
    )
    .dep(Wheel::new("dep", "1.0").file("dep.py", &text))
    .build();
    let change = format!(
        "{SAME_CRC}\n\
         item = find('/dep.py')\n\
         new = b\"WHO = 'forged'\\n#\"\n\
         item[1] = same_crc(item[1], new + b'-' * (len(item[1]) - 4 - len(new)))"
    );
    let (_directory, forged) = forged(&pex, &change);
    for forged_first in [true, false] {
        let stage = Stage::new(Way::Embedded, &pex);
        let other = stage.path("work/forged.pex");
        stage.place(&forged, &other);
        let honest = || starts(&stage.start(), "honest");
        let lies = || {
            let run = stage.start().program(&other).run();
            run.exits(65).says("PEX-INFO promises");
            assert!(run.stdout.is_empty(), "{run}");
        };
        if forged_first {
            lies();
            is_sound(&home(&stage), false);
            honest();
        } else {
            honest();
            // A promise that is kept already is not read again: what runs is what was promised.
            let run = stage.start().program(&other).run();
            assert!(
                run.code == Some(65) || run.stdout.trim() == "honest",
                "{run}"
            );
        }
        honest();
    }
}

#[test]
fn user_code_forged_to_equal_path_size_and_crc_reaches_no_other_pex() {
    let text = format!("def main():\n    print('honest')\n#{}\n", "-".repeat(60));
    let pex = Pex::app("hostile-code", &text).build();
    let change = format!(
        "{SAME_CRC}\n\
         item = find('app.py')\n\
         new = b\"def main():\\n    print('forged')\\n#\"\n\
         item[1] = same_crc(item[1], new + b'-' * (len(item[1]) - 4 - len(new)))"
    );
    let (_directory, forged) = forged(&pex, &change);
    let stage = Stage::new(Way::Embedded, &pex);
    let other = stage.path("work/other/app.pex");
    fs::create_dir(other.parent().unwrap()).unwrap();
    stage.place(&forged, &other);
    for _ in 0..2 {
        starts(&stage.start().program(&other), "forged");
        starts(&stage.start(), "honest");
    }
    // Written over in place, with the time stamp that it had: still another file.
    let stamp = fs::metadata(&stage.pex).unwrap().modified().unwrap();
    assert!(
        Command::new("cp")
            .arg(&other)
            .arg(&stage.pex)
            .status()
            .unwrap()
            .success()
    );
    fs::File::open(&stage.pex)
        .unwrap()
        .set_modified(stamp)
        .unwrap();
    stage.start().run().ok().prints("forged");
}

#[test]
fn a_file_that_lies_in_its_seal_runs_nothing_of_another() {
    let honest = app("hostile-seal");
    let liar = Pex::app("hostile-liar", "def main():\n    print('liar')\n").build();
    let stage = Stage::new(Way::Embedded, &honest);
    let other = stage.path("work/other/app.pex");
    fs::create_dir(other.parent().unwrap()).unwrap();
    stage.place(&liar, &other);
    starts(&stage.start(), SAYS);
    // The liar's seal gets the fingerprint of the other.
    let mut bytes = fs::read(&other).unwrap();
    let seal_at = |bytes: &[u8]| {
        let mut at = pexboot::internals::parts::SEAL_OFFSET;
        at = at.min(bytes.len());
        at..at + pexboot_core::seal::SEAL_SIZE
    };
    let decode = |bytes: &[u8]| {
        let raw: [u8; pexboot_core::seal::SEAL_SIZE] = bytes[seal_at(bytes)].try_into().unwrap();
        pexboot_core::seal::Seal::decode(&raw).unwrap()
    };
    let mut seal = decode(&bytes);
    seal.fingerprint = decode(&fs::read(&stage.pex).unwrap()).fingerprint;
    let place = seal_at(&bytes);
    bytes[place].copy_from_slice(&seal.encode().unwrap());
    let lying = stage.path("work/other/lying");
    fs::write(&lying, &bytes).unwrap();
    assert!(
        Command::new("cp")
            .arg("--")
            .args([&lying, &other])
            .status()
            .unwrap()
            .success()
    );
    let run = stage.start().program(&other).run();
    // It may be refused; if it runs, it is itself and nobody else.
    assert!(run.code != Some(0) || run.stdout.trim() == "liar", "{run}");
    for _ in 0..2 {
        starts(&stage.start(), SAYS);
    }
}

#[test]
fn the_engine_in_the_root_is_named_by_what_it_is() {
    let stage = stage("hostile-engine");
    starts(&stage.start(), SAYS);
    let engine = below(&home(&stage).join("engine")).pop().unwrap();
    use sha2::Digest;
    let digest = sha2::Sha256::digest(fs::read(&engine).unwrap());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(engine.file_name().unwrap().to_str().unwrap(), hex);
}

/// What an entry of user code comes to: it starts and prints, or is refused with this code and these words.
#[track_caller]
fn entry(change: &str, expect: Result<&str, (i32, &str)>) {
    let text = "import os\ndef main():\n    here = os.path.dirname(__file__)\n    \
                print(*sorted(os.path.relpath(os.path.join(d, f), here) for d, _, fs in os.walk(here) for f in fs if '__pycache__' not in d))\n";
    let pex = Pex::app("hostile-entry", text).build();
    let (_directory, forged) = forged(&pex, change);
    let stage = match Stage::attempt(Way::Embedded, &forged, "app.pex") {
        Ok(stage) => stage,
        Err(said) => {
            let (_, words) = expect.expect_err(&said);
            return assert!(said.contains(words), "{change}: {said}");
        }
    };
    let outside = below(&stage.root());
    let run = stage.start().run();
    match expect {
        Ok(prints) => drop(run.ok().prints(prints)),
        Err((code, words)) => drop(run.exits(code).says(words)),
    }
    // Nothing was written anywhere but under the root.
    let strange: Vec<_> = below(&stage.root())
        .into_iter()
        .filter(|path| {
            !outside.contains(path) && !path.starts_with(stage.root().join("home/.cache"))
        })
        .collect();
    assert!(strange.is_empty(), "{change}: {strange:?}");
}

#[test]
fn names_that_lead_elsewhere_lead_nowhere() {
    entry("add('../../up.py', b'')", Ok("app.py up.py"));
    entry("add('/abs.py', b'')", Ok("abs.py app.py"));
    entry("add('a/../../b/./c.py', b'')", Ok("a/b/c.py app.py"));
    entry("add('..', b'')", Ok("app.py"));
    entry("add('/', b'')", Ok("app.py"));
    entry("add('C:/x.py', b'')", Ok("C:/x.py app.py"));
    entry(
        "add('back\\\\..\\\\slash.py', b'')",
        Ok("app.py back\\..\\slash.py"),
    );
}

#[test]
fn names_that_cannot_be_files_are_refused() {
    entry("add('n' * 256, b'')", Err((66, "256 bytes")));
    entry("add('d' * 300 + '/x.py', b'')", Err((66, "300 bytes")));
    entry(
        "add('a', b''); add('a/b', b'')",
        Err((66, "needs a directory")),
    );
    entry(
        "add('a/b', b''); add('a', b'')",
        Err((66, "needs a directory")),
    );
    entry("add('', b'')", Err((66, "no name")));
}

#[test]
fn of_duplicates_the_last_one_wins_and_cases_stay_apart() {
    entry(
        "items.append([Z('app.py'), b\"def main(): print('last')\\n\"])",
        Ok("last"),
    );
    entry(
        "add('one.py', b''); add('ONE.py', b''); add('One.py', b'')",
        Ok("ONE.py One.py app.py one.py"),
    );
}

#[test]
fn modes_and_types_come_to_ordinary_files() {
    entry("add('link', b'/etc/passwd', 0o120777)", Ok("app.py link"));
    entry(
        "add('device', b'', 0o020666); add('pipe', b'', 0o010666); add('socket', b'', 0o140777)",
        Ok("app.py device pipe socket"),
    );
    let pex = Pex::app(
        "hostile-mode",
        "import os\ndef main():\n    here = os.path.dirname(__file__)\n    \
        print(*(oct(os.lstat(os.path.join(here, n)).st_mode) for n in ('suid', 'link')))\n",
    )
    .build();
    let (_directory, forged) = forged(
        &pex,
        "add('suid', b'', 0o106777); add('link', b'app.py', 0o120777)",
    );
    let run = Stage::new(Way::Embedded, &forged).start().run();
    run.ok();
    for mode in run.stdout.split_whitespace() {
        assert!(["0o100644", "0o100755"].contains(&mode), "{run}");
    }
}

/// A wrong byte in the content of the first member whose name ends so.
fn damage(mut bytes: Vec<u8>, member: &str) -> Vec<u8> {
    let name = member.as_bytes();
    let at = bytes.windows(name.len()).position(|window| window == name);
    bytes[at.unwrap() + name.len() + 3] ^= 0x55;
    bytes
}

/// What is read to choose an interpreter or a script, before anything is unpacked.
#[test]
fn damage_in_what_a_choice_reads_is_refused_by_its_own_name() {
    let dep = Wheel::new("choice", "1.0")
        .entry_points("[console_scripts]\nsays = choice:says\n")
        .file("choice.py", "def says():\n    print('said')\n");
    let pex = Pex::app("hostile-choice", "def main(): pass\n")
        .dep(dep)
        .build();
    for (member, code) in [("none", 0), ("METADATA", 65), ("entry_points.txt", 65)] {
        let stage = Stage::new(Way::Embedded, &pex);
        if code != 0 {
            let whole = fs::read(&stage.pex).unwrap();
            let broken = damage(whole, &format!("choice-1.0.dist-info/{member}"));
            fs::write(&stage.pex, broken).unwrap();
        }
        let run = stage.start().env("PEX_SCRIPT", "says").run();
        match code {
            0 => assert_eq!(run.ok().stdout, "said\n"),
            _ => drop(run.exits(code).says(member)),
        }
        is_sound(&home(&stage), false);
    }
}

#[test]
fn damage_is_refused_by_its_own_name() {
    let pex = app("hostile-damage");
    // A byte in the compressed content of a member.
    let (_directory, broken) = pex.altered(|bytes| damage(bytes, "helper.py"));
    match Stage::attempt(Way::Embedded, &broken, "app.pex") {
        Err(said) => assert!(said.contains("helper.py"), "{said}"),
        Ok(stage) => {
            stage.start().run().exits(65).says("helper.py");
            is_sound(&home(&stage), false);
        }
    }
    // Cut short anywhere.
    let size = fs::metadata(&pex.path).unwrap().len() as usize;
    for part in [0, 1, 100, size / 2, size - 1] {
        let (_directory, short) = pex.altered(|mut bytes| {
            bytes.truncate(part);
            bytes
        });
        assert!(
            Stage::attempt(Way::Embedded, &short, "app.pex").is_err(),
            "{part} bytes"
        );
    }
}

/// What a member of zeros inflates to.
const BOMB: &str = "290000000";

#[test]
fn a_bomb_is_refused_unless_the_user_lets_it_off() {
    let pex = Pex::app("hostile-bomb", "def main(): print('survived')\n").build();
    let (_directory, bomb) = forged(
        &pex,
        &format!("add('zeros', bytes({BOMB})); items[-1][0].compress_type = 8"),
    );
    assert!(fs::metadata(&bomb.path).unwrap().len() < 2 << 20);
    let stage = Stage::new(Way::Original, &bomb);
    let start = || stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
    for command in ["run", "embed", "verify", "info"] {
        let run = start().args([command]).args([&stage.pex]).run();
        run.exits(66)
            .says("would inflate to 29")
            .says("PEXBOOT_MAX_UNPACKED");
    }
    assert!(!home(&stage).join("code").exists(), "nothing was unpacked");
    for limit in ["unlimited", "300M", BOMB, "1G"] {
        let run = start()
            .env("PEXBOOT_MAX_UNPACKED", limit)
            .args(["info"])
            .args([&stage.pex])
            .run();
        // The members of pex's own runtime count too.
        assert_eq!(run.code == Some(0), limit != BOMB, "{run}");
    }
    let run = start()
        .env("PEXBOOT_MAX_UNPACKED", "1G")
        .args(["run"])
        .args([&stage.pex])
        .run();
    run.ok().prints("survived");
}

#[test]
fn a_limit_of_the_users_own_holds_in_every_start_that_unpacks() {
    let stage = stage("hostile-limit");
    let start = |limit: &str| stage.start().env("PEXBOOT_MAX_UNPACKED", limit);
    start("100K").run().exits(66).says("PEXBOOT_MAX_UNPACKED");
    start("lots").run().exits(1).says("`lots` is no size");
    silent(&start("100M").run(), SAYS);
    silent(&start("").run(), SAYS);
    // What is unpacked is not measured again.
    silent(&start("100K").run(), SAYS);
}

#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() {
    let stage = stage("hostile-fifo");
    let fifo = stage.path("work/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    for path in [
        fifo.as_path(),
        Path::new("/dev/zero"),
        Path::new("/dev/null"),
    ] {
        for command in ["run", "embed", "strip", "verify", "info", "warm"] {
            let pexboot = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
            let run = pexboot.args([command]).args([path]).run();
            assert!(
                run.code.is_some_and(|code| [65, 74].contains(&code)),
                "{run}"
            );
            run.says("not a regular file");
        }
    }
}

#[test]
fn a_pipe_or_directory_in_the_place_of_an_entry_is_no_entry() {
    for make in [pipe, |path: &Path| fs::create_dir(path).unwrap()] {
        for (kind, end) in [
            ("engine", ""),
            ("interpreters", ""),
            ("plans", ""),
            ("wheels", ".manifest"),
            ("code", ".manifest"),
        ] {
            let stage = stage("hostile-place");
            starts(&stage.start(), SAYS);
            let all = below(&home(&stage).join(kind));
            let entry = all
                .iter()
                .find(|path| path.to_string_lossy().ends_with(end));
            let entry = entry.unwrap();
            fs::remove_file(entry).unwrap();
            make(entry);
            if kind != "plans" {
                fs::remove_dir_all(home(&stage).join("plans")).unwrap();
            }
            stage.start().run().ok().prints(SAYS);
            starts(&stage.start(), SAYS);
        }
        // Where locks should be.
        let stage = stage("hostile-lock");
        starts(&stage.start(), SAYS);
        for directory in ["wheels", "code", "launches", "sites"] {
            let _ = fs::remove_dir_all(home(&stage).join(directory));
        }
        let locks = home(&stage).join("locks");
        fs::remove_dir_all(&locks).unwrap();
        make(&locks);
        starts(&stage.start(), SAYS);
    }
}

fn pipe(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
}
