//! Memory stays bounded whatever the members' sizes (invariant 10): a PEX with a member of 2 GiB starts where a process
//! may have 32 MiB of data, heap and stacks of its threads included, with one worker; and so does the stub, which holds
//! the engine in memory at the first start, and Python.

use std::fs;
use std::process::Command;

use crate::fixtures::{Built, Pex};
use crate::harness::{Stage, Way};

/// Adds `big.bin`, 2 GiB that deflate makes a sixteenth of, stored or deflated.
const ADD: &str = "\
import os, sys, zipfile
method = {'stored': zipfile.ZIP_STORED, 'deflated': zipfile.ZIP_DEFLATED}[sys.argv[2]]
block = os.urandom(1 << 16) + bytes(15 << 16)
with zipfile.ZipFile(sys.argv[1], 'a', method, compresslevel=1) as file:
    with file.open('big.bin', 'w', force_zip64=True) as member:
        for _ in range(2048):
            member.write(block)
";

#[track_caller]
fn check(method: &str) {
    let text = "import os, sys\ndef main():\n    print(os.path.getsize(os.path.join(sys.path[0], 'big.bin')))\n";
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("big.pex");
    fs::copy(Pex::app("big", text).build().path, &path).unwrap();
    let added = Command::new("/usr/bin/python3")
        .args(["-c", ADD])
        .arg(&path)
        .arg(method)
        .status()
        .unwrap();
    assert!(added.success());
    let stage = Stage::new(Way::Embedded, &Built { path });
    let kilobytes = 32 << 10;
    for _ in 0..2 {
        let start = stage.start().before(crate::budgets::one_processor());
        let start = start.after_shell(&format!("ulimit -d {kilobytes}"));
        start.run().ok().prints(&(1_u64 << 31).to_string());
    }
}

#[test]
fn a_stored_member_of_two_gibibytes() {
    check("stored");
}

#[test]
fn a_deflated_member_of_two_gibibytes() {
    check("deflated");
}
