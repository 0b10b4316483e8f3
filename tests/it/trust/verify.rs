//! `pexboot verify` finds what is damaged, in the file and in the cache.

use super::*;

fn verify<'s>(stage: &'s Stage, args: &[&str]) -> Outcome {
    let start: Start<'s> = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
    start.args(["verify"]).args(args).args([&stage.pex]).run()
}

#[test]
fn a_whole_file_and_a_whole_cache_are_whole() {
    for way in [Way::Original, Way::Embedded] {
        let stage = Stage::new(way, &app("verify-whole"));
        let run = verify(&stage, &[]);
        assert!(run.ok().stdout.starts_with("whole: "), "{run}");
    }
    let stage = stage("verify-whole");
    starts(&stage.start(), SAYS);
    let run = verify(&stage, &["--cache"]);
    assert!(run.ok().stdout.contains("3 entries of the cache"), "{run}");
}

#[test]
fn a_changed_byte_in_the_cache_is_found() {
    let stage = stage("verify-cache");
    starts(&stage.start(), SAYS);
    for end in ["/dep.py", "/helper.py"] {
        let file = below(&home(&stage))
            .into_iter()
            .find(|path| path.to_string_lossy().ends_with(end) && !path.is_symlink());
        let file = file.unwrap();
        let before = fs::read(&file).unwrap();
        let mut bytes = before.clone();
        bytes[0] ^= 1;
        fs::write(&file, bytes).unwrap();
        let run = verify(&stage, &["--cache"]);
        run.exits(65);
        assert!(
            run.stdout.contains(end) && run.stdout.contains("other content"),
            "{run}"
        );
        fs::write(&file, before).unwrap();
    }
    verify(&stage, &["--cache"]).ok();
}

#[test]
fn a_damaged_member_and_a_broken_promise_are_found() {
    let promise = Pex::app("verify-promise", "def main(): pass\n")
        .dep(Wheel::new("dep", "1.0"))
        .edit_entry(
            ".deps/dep-1.0-py3-none-any.whl/dep.py",
            "WHO = 'forged'\n",
            0o100_644,
            false,
        )
        .build();
    let run = verify(&Stage::new(Way::Original, &promise), &[]);
    run.exits(65);
    assert!(run.stdout.contains("PEX-INFO promises"), "{run}");
    let code = Pex::app("verify-code", "def main(): pass\n")
        .edit_entry("app.py", "def main(): print(1)\n", 0o100_644, false)
        .build();
    let run = verify(&Stage::new(Way::Original, &code), &[]);
    run.exits(65);
    assert!(run.stdout.contains("user code has hash"), "{run}");
}
