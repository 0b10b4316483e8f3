//! What is in the cache: whether every entry is whole by itself, and whether what this PEX has there is what it brings.
//!
//! | kind | by itself | against the PEX |
//! |---|---|---|
//! | `engine` | is what its name says | |
//! | `interpreters` | its own digest, and that it can be read | |
//! | `launches` | plan and launch pack can be read, the boot is that of an interpreter of the root | |
//! | `boot`, `bytecode`, `originals` | its manifest: nothing missing, nothing more, every size | |
//! | `wheels`, `code` | the same | every file, byte for byte |
//! | `sites`, `venvs` | the same, and no link leads nowhere | built once more for each interpreter of the root; every file |

use pexboot_core::hex::hex;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Findings, tree};
use crate::interpreter::{self, Record};
use crate::launch::select;
use crate::pack::Pack;
use crate::pex::{Layout, Pex};
use crate::plan::Plan;
use crate::regular;
use crate::store::{FORMAT, IMPORTING, Kind, Store, WITH_MANIFEST};
use crate::unpack::bytecode::SHIPPED;
use crate::unpack::{self, Unpacked};
use crate::{site, venv};

/// Checks everything in the root of `cache`; `scratch` holds the wheels and the user code of `pex`, unpacked from it.
pub(super) fn check(pex: &Pex, scratch: &Store, cache: &Store, findings: &mut Findings) {
    let home = cache.root().join(FORMAT);
    let records = records(&home, findings);
    engines(&home, findings);
    launches(&home, &records, findings);
    for kind in WITH_MANIFEST {
        for entry in tree::entries(&home, kind) {
            findings.cached += 1;
            say(manifest(&home.join(entry)), findings);
        }
    }
    let truth = scratch.root().join(FORMAT);
    for kind in [Kind::Wheels, Kind::Code] {
        for entry in tree::entries(&truth, kind) {
            let there = home.join(&entry);
            if there.symlink_metadata().is_ok() {
                say(tree::differences(&truth.join(&entry), &there), findings);
            }
        }
    }
    for record in &records {
        // One that the PEX does not run on has made nothing there.
        let Ok(selected) = select(pex, pex.info.ignore_errors, record) else {
            continue;
        };
        let Ok(wheels) = unpack::wheels(pex, &selected, scratch, false) else {
            continue;
        };
        let wheels: Vec<Unpacked> = wheels
            .into_iter()
            .filter_map(|wheel| {
                let path = home.join(wheel.path.strip_prefix(&truth).ok()?);
                Some(Unpacked { path, ..wheel })
            })
            .collect();
        // What is missing is made by the next start, in its own time.
        if wheels.iter().all(|wheel| wheel.path.is_dir()) {
            merged(pex, record, &wheels, scratch, &home, findings);
        }
    }
}

fn say(faults: Vec<String>, findings: &mut Findings) {
    for fault in faults {
        let fault = format!("cache: {fault}");
        if !findings.faults.contains(&fault) {
            findings.faults.push(fault);
        }
    }
}

/// The interpreter records that can be read.
fn records(home: &Path, findings: &mut Findings) -> Vec<Record> {
    let mut found = Vec::new();
    for entry in tree::files(home, Kind::Interpreters) {
        findings.cached += 1;
        let path = home.join(entry);
        match regular::read(&path)
            .ok()
            .and_then(|bytes| interpreter::read_record(&bytes))
        {
            Some(record) => found.push(record),
            None => say(vec![format!("`{}` is damaged", path.display())], findings),
        }
    }
    found
}

fn engines(home: &Path, findings: &mut Findings) {
    for entry in tree::files(home, Kind::Engine) {
        findings.cached += 1;
        let path = home.join(&entry);
        let digest = regular::read(&path).map(|bytes| hex(&Sha256::digest(bytes)));
        let name = entry.file_name().unwrap_or_default();
        if digest.is_ok_and(|digest| name != digest.as_str()) {
            say(
                vec![format!("`{}` is not what its name says", path.display())],
                findings,
            );
        }
    }
}

/// Launches: their plans, and the boots beside them.
fn launches(home: &Path, records: &[Record], findings: &mut Findings) {
    let boots: HashSet<&[u8]> = records
        .iter()
        .map(|record| record.boot.as_slice())
        .collect();
    for entry in tree::entries(home, Kind::Launches) {
        findings.cached += 1;
        let launch = home.join(entry);
        let mut faults = Vec::new();
        let plan = launch.join("plan");
        // One without a plan is none, and serves nobody.
        let Ok(bytes) = regular::read(&plan) else {
            continue;
        };
        let Some(plan) = Plan::decode(&bytes) else {
            say(vec![format!("`{}` is damaged", plan.display())], findings);
            continue;
        };
        let argv: Vec<PathBuf> = plan
            .exec
            .argv
            .iter()
            .map(|word| PathBuf::from(std::ffi::OsStr::from_bytes(word)))
            .collect();
        let boot = argv.iter().find(|word| word.parent() == Some(&launch));
        for name in tree::list(&launch) {
            let path = launch.join(&name);
            if boot == Some(&path) {
                let same = regular::read(&path).is_ok_and(|bytes| boots.contains(bytes.as_slice()));
                if !same && !boots.is_empty() {
                    faults.push(format!("`{}` is no interpreter's boot", path.display()));
                }
            } else if name == "pack" {
                if Pack::read(&path).is_none() {
                    faults.push(format!("`{}` is damaged", path.display()));
                }
            } else if !["plan", "data", SHIPPED, IMPORTING]
                .iter()
                .any(|own| name == *own)
            {
                faults.push(format!("`{}` should not be there", path.display()));
            }
        }
        if let Some(boot) = boot {
            for needed in [boot, &launch.join("data")] {
                if !needed.is_file() {
                    faults.push(format!("`{}` is missing", needed.display()));
                }
            }
        }
        say(faults, findings);
    }
}

/// An entry against its manifest: what is missing, too much or of another size; and links that lead nowhere.
fn manifest(entry: &Path) -> Vec<String> {
    let Some(listed) = Store::listed(entry) else {
        return vec![format!("`{}` has no manifest", entry.display())];
    };
    let mut faults = Vec::new();
    let mut expected = HashSet::new();
    for item in listed {
        let path = entry.join(&item.path);
        match path.symlink_metadata() {
            Err(_) => faults.push(format!("`{}` is missing", path.display())),
            Ok(status) if status.is_symlink() != item.link => {
                faults.push(format!("`{}` is of another type", path.display()));
            }
            Ok(status) if status.len() != item.size => {
                faults.push(format!("`{}` has another size", path.display()));
            }
            Ok(status) if status.is_symlink() && !path.exists() => {
                faults.push(format!("`{}` leads nowhere", path.display()));
            }
            Ok(_) => {}
        }
        expected.insert(item.path);
    }
    for path in tree::below(entry) {
        if !expected.contains(&path) {
            faults.push(format!(
                "`{}` should not be there",
                entry.join(path).display()
            ));
        }
    }
    faults
}

/// The site and the virtual environment of these wheels of the cache on one interpreter, built once more.
fn merged(
    pex: &Pex,
    record: &Record,
    wheels: &[Unpacked],
    scratch: &Store,
    home: &Path,
    findings: &mut Findings,
) {
    let Ok(work) = tempfile::tempdir_in(scratch.root()) else {
        return;
    };
    if let Some(Some(name)) = findings.note(site::rebuild(wheels, home, work.path())) {
        let there = home.join(Kind::Sites.directory()).join(name);
        if there.is_dir() {
            say(tree::differences(work.path(), &there), findings);
        }
    }
    let Ok(fingerprint) = pex.fingerprint() else {
        return;
    };
    let code = home.join(Kind::Code.directory()).join(hex(&fingerprint));
    let name = pex.path.file_name().unwrap_or_default();
    let request = |prompt| venv::Request {
        interpreter: record,
        fingerprint: &fingerprint,
        info: &pex.info,
        info_bytes: &pex.info_bytes,
        wheels,
        code: &code,
        copies: pex.info.venv_site_packages_copies || pex.layout == Layout::Loose,
        prompt,
    };
    let there = home
        .join(Kind::Venvs.directory())
        .join(venv::name(&request(name)));
    if !there.is_dir() || !code.is_dir() {
        return;
    }
    // Of several names of the PEX the first one stays.
    let settings = regular::text(&there.join("pyvenv.cfg")).unwrap_or_default();
    let prompt = settings
        .lines()
        .find_map(|line| line.strip_prefix("prompt = '")?.strip_suffix('\''))
        .map_or(name, std::ffi::OsStr::new);
    let Ok(work) = tempfile::tempdir_in(scratch.root()) else {
        return;
    };
    findings.note(venv::rebuild(&request(prompt), &there, work.path()));
    say(tree::differences(work.path(), &there), findings);
}
