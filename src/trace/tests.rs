//! What goes into the file, and which files are written.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::Value;

use super::event::{Event, Text};
use super::file::{Joint, write};
use super::*;

fn text() -> Text {
    let mut one = Event::starts(2_000, "unpack", "a \"wheel\"");
    one.end = 5_500;
    one.thread = std::process::id().cast_signed();
    let mut other = one.clone();
    other.thread += 1;
    Text::new("app", &[one, other], 1_000, 9_000)
}

#[test]
fn the_file_is_one_json_object() {
    let Text { head, tail } = text();
    let parsed: Value = serde_json::from_str(&format!("{head}{tail}")).unwrap();
    let events = parsed["traceEvents"].as_array().unwrap();
    let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);
    assert_eq!(of("M").count(), 3, "{parsed}");
    let one = of("X").next().unwrap();
    assert_eq!(one["name"], "a \"wheel\"");
    assert_eq!((&one["ts"], &one["dur"]), (&2.0.into(), &3.5.into()));
    assert_eq!(one["pid"], std::process::id());
    let whole = of("X").next_back().unwrap();
    assert_eq!(whole["name"], "launch");
    assert_eq!((&whole["ts"], &whole["dur"]), (&1.0.into(), &8.0.into()));
    assert!(
        tail.starts_with("{\"name\":\"launch\""),
        "the place where more is put in"
    );
}

#[test]
fn the_stubs_times_are_read_as_it_writes_them() {
    let mut bytes = [0; 32];
    let numbers = [3_i64, 7, 4, 999_999_999];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let hex = pexboot_core::hex::hex(&bytes).into_bytes();
    assert_eq!(stamps(&hex), Some((3_000_000_007, 4_999_999_999)));
    for wrong in [&hex[1..], b"", &[b'g'; 64]] {
        assert_eq!(stamps(wrong), None);
    }
    // Who sets the variable by hand gets a timeline that is as wrong, and no panic.
    assert!(stamps(&[b'f'; 64]).is_some());
}

#[test]
fn a_pattern_names_a_file_for_each_process() {
    let check = |pattern: &str, expect: &str, found: bool| {
        assert_eq!(with_pid(pattern.as_bytes(), 42), (expect.into(), found));
    };
    check("/t.json", "/t.json", false);
    check("/t-%p.json", "/t-42.json", true);
    check("%p/%p%", "42/42%", true);
    check("100%", "100%", false);
}

#[test]
fn an_earlier_trace_is_replaced_and_never_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace");
    let kept = directory.path().join("kept");
    write(&path, &text()).unwrap();
    std::fs::hard_link(&path, &kept).unwrap();
    let before = std::fs::read(&kept).unwrap();

    let other = Text::new("other", &[], 1_000, 9_000);
    let Joint { inode, offset } = write(&path, &other).unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), before);
    let found = path.symlink_metadata().unwrap();
    assert_eq!(
        (found.ino(), found.permissions().mode() & 0o777),
        (inode, 0o600)
    );
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written[offset..].starts_with("{\"name\":\"launch\""));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
    // As `mktemp` makes one.
    std::fs::write(&path, "").unwrap();
    write(&path, &other).unwrap();
}

#[test]
fn what_is_no_trace_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("precious"), "precious").unwrap();
    std::fs::write(at("another tool's"), "{\"traceEvents\":[\n{\"pid\":1}]}").unwrap();
    let Text { head, tail } = text();
    std::fs::write(at("cut"), head).unwrap();
    std::fs::write(at("end alone"), tail).unwrap();
    symlink("precious", at("link")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, why) in [
        (at("precious"), "it is no trace and is left alone"),
        (at("another tool's"), "it is no trace and is left alone"),
        (at("cut"), "it is no trace and is left alone"),
        (at("end alone"), "it is no trace and is left alone"),
        (at("link"), "it is no trace and is left alone"),
        (at("pipe"), "it is a pipe and is left alone"),
        (at("."), "it is a directory and is left alone"),
        (
            at("missing/trace"),
            "No such file or directory (os error 2)",
        ),
    ] {
        let error = write(&path, &text()).unwrap_err();
        assert!(error.starts_with(why), "{}: {error}", path.display());
    }
    assert_eq!(std::fs::read_to_string(at("precious")).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 6);
}
