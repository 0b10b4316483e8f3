//! What users read when something is refused, and what they are warned of, as one text: `tests/fixtures/messages.txt`. Its
//! sentences are judged there, beside each other. Run with PEXBOOT_RECORD=1 to write it anew, then read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::command_line::{app, pexboot};
use crate::fixtures::{Pex, Wheel};
use crate::harness::{Outcome, PEXBOOT, Stage, Way};

/// The text of record.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/messages.txt");

/// Command lines of `pexboot`, one each, in the place that [`place`] makes.
const COMMANDS: &str = "\
embed none.pex
embed text
embed empty
embed dir
embed zip
embed cut
embed app.pex -o none/out
embed app.pex -o dir
embed app.pex app -o out
embed --json -
embed --host-site --no-host-site app.pex
embed --compile --no-compile app.pex
embed --python no-python app.pex
embed --target aarch64-linux native.pex
embed --target pdp11-linux app.pex
embed --check app.pex
embed --no-compile member.pex
embed --no-compile foreign.pex
embed app
embed changed
strip app.pex
strip text
strip changed
strip app -o none/out
verify text
verify changed
verify none.pex
info text
explain text
explain none.pex
path app.pex
path text
sbom text
warm -
warm none.pex
warm text
venv none.pex env
venv app.pex dir-with-file
venv app.pex old-env
venv --python no-python app.pex env
cache --root away clear
cache --for text ls
cache prune --older-than 5
cache prune --max-size 3x
bench none.pex
bench dir
bench --json none/out app.pex
bench --against venv app.pex
bench --against venv=no-program app.pex
run none.pex
run text
run dir
generate text
embed
embed --complie app.pex
emebd app.pex
";

/// Starts of the embedded file, by what the environment says.
const STARTS: &[&[(&str, &str)]] = &[
    &[("PEX_PYTHON", "no-python")],
    &[("PATH", "/none")],
    &[("PEX_SCRIPT", "no-script")],
    &[("PEX_SCRIPT", "a"), ("PEX_MODULE", "b")],
    &[("PEX_VENV", "1")],
    &[("PEX_PATH", "none.pex")],
    &[("PEX_PATH", "text")],
    &[("PEX_INHERIT_PATH", "junk")],
    &[("PEX_EMIT_WARNINGS", "junk")],
    &[("PEX_ROOT", "text")],
    &[("PEXBOOT_TRACE", "none/trace")],
];

/// A place with what the commands name.
fn place() -> Stage {
    let stage = Stage::new(Way::Original, &app().build());
    let native = Wheel::new("dep", "1.0").tag("py3-none-manylinux2014_x86_64");
    let main = "def main():\n    print('ran')\n";
    let native = Pex::app("targets-one", main).wheel(native).requires("dep");
    stage.place(&native.build(), &stage.path("work/native.pex"));
    let foreign = Wheel::new("native", "1.0").tag("cp311-cp311-manylinux_2_17_s390x");
    stage.place(
        &app().wheel(foreign).build(),
        &stage.path("work/foreign.pex"),
    );
    let member = Pex::empty("command-line-member").dep(Wheel::new("dep", "1.0"));
    stage.place(&member.build(), &stage.path("work/member.pex"));
    stage.write("work/text", "no PEX\n");
    stage.write("work/empty", "");
    stage.write("work/away/pexboot", "no directory\n");
    stage.write("work/dir-with-file/file", "");
    stage.write("work/old-env/pyvenv.cfg", "");
    fs::create_dir(stage.path("work/dir")).unwrap();
    fs::write(
        stage.path("work/zip"),
        [&b"PK\x05\x06"[..], &[0; 18]].concat(),
    )
    .unwrap();
    let embed = [
        "embed",
        "--no-compile",
        "--no-host-site",
        "app.pex",
        "-o",
        "app",
    ];
    pexboot(&stage, &embed).ok();
    let mut bytes = fs::read(stage.path("work/app")).unwrap();
    // By another process, since it is started: see `Stage::place`.
    let cut = stage.start().program("/bin/sh");
    cut.args(["-c", "head -c -200000 app >cut && chmod +x cut"])
        .run()
        .ok();
    // Within a module of a wheel.
    let name = b"any.whl/dep.py";
    let at = bytes.windows(name.len()).position(|window| window == name);
    bytes[at.unwrap() + name.len() + 4] ^= 0x55;
    fs::write(stage.path("work/changed"), &bytes).unwrap();
    stage
}

/// What one run has said, without what is this machine's.
fn told(stage: &Stage, title: &str, run: &Outcome) -> String {
    let own = |text: &str| {
        let root = stage.root().display().to_string();
        let text = text.replace(&root, "BOX").replace(PEXBOOT, "pexboot");
        text.replace(&std::env::temp_dir().display().to_string(), "TMP")
    };
    let code = run
        .code
        .map_or("a signal".to_owned(), |code| code.to_string());
    let mut text = format!("$ {title}\n[{code}]\n");
    for line in own(&run.stderr).lines().chain(own(&run.stdout).lines()) {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text + "\n"
}

#[test]
fn messages_are_those_of_record() {
    let stage = place();
    let mut text = String::new();
    for line in COMMANDS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let run = stage.start().program(PEXBOOT).args(words).stdin("none");
        let run = run.run();
        let first = run.stderr.lines().next().unwrap_or("pexboot: ");
        assert!(first.starts_with("pexboot: "), "{line}\n{run}");
        text += &told(&stage, &format!("pexboot {line}"), &run);
        // What was there still is.
        for made in ["out", "env", "none"] {
            assert!(!stage.path("work").join(made).exists(), "{line}: {made}");
        }
    }
    for variables in STARTS {
        let start = stage.start().program(stage.path("work/app"));
        let start = variables
            .iter()
            .fold(start, |start, (name, value)| start.env(name, value));
        let words = variables
            .iter()
            .map(|(name, value)| format!("{name}={value} "));
        text += &told(&stage, &(words.collect::<String>() + "./app"), &start.run());
    }
    let cut = stage.start().program(stage.path("work/cut")).run();
    text += &told(&stage, "./cut", &cut);
    if std::env::var_os("PEXBOOT_RECORD").is_some() {
        fs::write(RECORD, &text).unwrap();
    }
    let record = fs::read_to_string(Path::new(RECORD)).unwrap_or_default();
    let (mut old, mut new) = (record.split("\n\n"), text.split("\n\n"));
    loop {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) => assert_eq!(old, new, "PEXBOOT_RECORD=1 writes {RECORD} anew"),
        }
    }
}
