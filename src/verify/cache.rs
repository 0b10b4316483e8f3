//! What is in the cache: whether every entry is whole by itself, and whether what this PEX has there is what it brings.
//!
//! | kind | by itself | against the PEX |
//! |---|---|---|
//! | `engine` | is what its name says | |
//! | `interpreters` | its own digest, and that it can be read | |
//! | `plans` | every one can be read | |
//! | `launches` | the launch pack can be read, the boot is that of an interpreter of the root, nothing more | |
//! | `finders`, `bytecode`, `originals` | its manifest: nothing missing, nothing more, every size | |
//! | `wheels`, `code` | the same | every file, byte for byte |
//! | `sites`, `venvs` | the same, and no link leads nowhere | built once more for each interpreter of the root; every file |

use pexboot_core::hex::hex;
use pexboot_core::plan::{Plan, Plans, encode};
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Findings, tree};
use crate::boot;
use crate::interpreter::{self, Record};
use crate::launch::select;
use crate::pack::Pack;
use crate::pex::{Layout, Pex};
use crate::regular;
use crate::store::{FORMAT, Kind, LAUNCH_FILES, Store, WITH_MANIFEST};
use crate::unpack::{self, Unpacked};
use crate::{site, venv};

/// Checks everything in the root of `cache`; `scratch` holds the wheels and the user code of `pex`, unpacked from it.
pub(super) fn check(pex: &Pex, scratch: &Store, cache: &Store, findings: &mut Findings) {
    let format = cache.root().join(FORMAT);
    let records = records(&format, findings);
    engines(&format, findings);
    plans(&format, findings);
    launches(&format, &records, findings);
    for kind in WITH_MANIFEST {
        for entry in tree::entries(&format, kind) {
            findings.cached += 1;
            say(manifest(&format.join(entry)), findings);
        }
    }
    let truth = scratch.root().join(FORMAT);
    for kind in [Kind::Wheels, Kind::Code] {
        for entry in tree::entries(&truth, kind) {
            let there = format.join(&entry);
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
                let path = format.join(wheel.path.strip_prefix(&truth).ok()?);
                Some(Unpacked { path, ..wheel })
            })
            .collect();
        // What is missing is made by the next start, in its own time.
        if wheels.iter().all(|wheel| wheel.path.is_dir()) {
            merged(pex, record, &wheels, scratch, &format, findings);
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
fn records(format: &Path, findings: &mut Findings) -> Vec<Record> {
    let mut found = Vec::new();
    for entry in tree::files(format, Kind::Interpreters) {
        findings.cached += 1;
        let path = format.join(entry);
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

fn engines(format: &Path, findings: &mut Findings) {
    for entry in tree::files(format, Kind::Engine) {
        findings.cached += 1;
        let path = format.join(&entry);
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

/// The plans of every key: that they can be read.
fn plans(format: &Path, findings: &mut Findings) {
    for entry in tree::files(format, Kind::Plans) {
        findings.cached += 1;
        let path = format.join(entry);
        let bytes = regular::read(&path).unwrap_or_default();
        let plans: Vec<Plan> = Plans::of(&bytes).collect();
        if encode(&plans) != bytes {
            say(vec![format!("`{}` is damaged", path.display())], findings);
        }
    }
}

/// Launches: the boot, and what lies beside it.
fn launches(format: &Path, records: &[Record], findings: &mut Findings) {
    // Records have the boots that interpreters compiled, `finders` those that came with a file as well.
    let kept = |path: PathBuf| regular::read(&format.join(path).join(boot::NAMES[0])).ok();
    let came = tree::entries(format, Kind::Finders).into_iter();
    let compiled = records.iter().map(|record| record.compiled.code[0].clone());
    let boots: HashSet<Vec<u8>> = came.filter_map(kept).chain(compiled).collect();
    for entry in tree::entries(format, Kind::Launches) {
        findings.cached += 1;
        let launch = format.join(entry);
        let mut faults = Vec::new();
        let (own, named): (Vec<OsString>, Vec<OsString>) = tree::list(&launch)
            .into_iter()
            .partition(|name| LAUNCH_FILES.iter().any(|own| name == own));
        match named.as_slice() {
            [] => faults.push(format!("`{}` has no boot", launch.display())),
            [name, more @ ..] => {
                let boot = launch.join(name);
                // A header of sixteen bytes stands before the code (PEP 552).
                let same = regular::read(&boot)
                    .is_ok_and(|bytes| bytes.get(16..).is_some_and(|code| boots.contains(code)));
                if !same && !boots.is_empty() {
                    faults.push(format!("`{}` is no interpreter's boot", boot.display()));
                }
                for name in more {
                    let path = launch.join(name);
                    faults.push(format!("`{}` should not be there", path.display()));
                }
            }
        }
        let has = |name: &str| own.iter().any(|own| own == name);
        let pack = launch.join("pack");
        if has("pack") && Pack::read(&pack).is_none() {
            faults.push(format!("`{}` is damaged", pack.display()));
        }
        if !has("data") {
            let data = launch.join("data");
            faults.push(format!("`{}` is missing", data.display()));
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
    format: &Path,
    findings: &mut Findings,
) {
    let Ok(work) = tempfile::tempdir_in(scratch.root()) else {
        return;
    };
    if let Some(Some(name)) = findings.note(site::rebuild(wheels, format, work.path())) {
        let there = format.join(Kind::Sites.directory()).join(name);
        if there.is_dir() {
            say(tree::differences(work.path(), &there), findings);
        }
    }
    let Ok(fingerprint) = pex.fingerprint() else {
        return;
    };
    let code = format.join(Kind::Code.directory()).join(hex(&fingerprint));
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
    let there = format
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
