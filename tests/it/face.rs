//! What the crate shows to Rust programs: small, documented, and the same as what the commands do.

use std::fs;
use std::path::Path;

use crate::command_line::{app, pexboot};
use crate::harness::{Stage, Way};

#[test]
fn the_functions_do_what_the_commands_do() {
    let stage = Stage::new(Way::Original, &app().build());
    let original = fs::read(&stage.pex).unwrap();
    let [by_command, by_function] =
        ["command", "function"].map(|name| stage.path("work").join(name));
    let words = [
        "embed",
        "--no-compile",
        "--venv",
        "app.pex",
        "-o",
        "command",
    ];
    pexboot(&stage, &words).ok();
    let options = pexboot::Options {
        venv: true,
        ..Default::default()
    };
    let made = pexboot::embed(&stage.pex, Some(&by_function), &options).unwrap();
    assert!(fs::read(&by_command).unwrap() == fs::read(&by_function).unwrap());
    let found = pexboot::inspect(&made.path).unwrap();
    assert_eq!(found.fingerprint, made.fingerprint);
    assert_eq!(
        found.embedded_by.as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(found.wheels, ["dep-1.0-py3-none-any.whl"]);
    assert!(found.is_file && found.length_as_sealed && found.pex_info.contains("distributions"));
    assert_eq!(pexboot::verify(&made.path).unwrap().faults, [""; 0]);
    let plan = pexboot::plan(&made.path, ["--help"]).unwrap();
    assert_eq!(plan.refusal, None);
    assert_eq!(plan.command.last().unwrap(), "--help");
    pexboot::strip(&made.path, None).unwrap();
    assert!(fs::read(&made.path).unwrap() == original);
    let error = pexboot::strip(&made.path, None).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    assert!(
        error.to_string().contains("there is nothing to strip"),
        "{error}"
    );
}

#[test]
fn the_crate_shows_its_face_and_nothing_else() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(src.join("lib.rs")).unwrap();
    let mut before = "";
    for line in text.lines() {
        let hidden = before == "#[doc(hidden)]";
        assert!(!line.starts_with("pub mod ") || hidden, "{line}");
        assert!(
            !line.starts_with("pub use ") || line.starts_with("pub use face::"),
            "{line}"
        );
        before = line;
    }
    // Each function has an example; `missing_docs` holds the rest.
    let face = fs::read_to_string(src.join("face.rs")).unwrap();
    for function in face.split("\n\n").filter(|part| part.contains("\npub fn ")) {
        assert!(
            function.contains("/// # Examples\n/// ```no_run\n"),
            "{function}"
        );
    }
}
