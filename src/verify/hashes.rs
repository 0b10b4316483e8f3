//! The hashes that PEX-INFO promises besides those of wheels (reference 1.6), computed again.
//!
//! All are SHA-1: pex makes names of caches of them. What several releases computed differently is accepted in each of
//! their ways; a way that cannot be known any more (the order in which a directory was listed) is no fault.

use pexboot_core::hex::hex;
use sha1::Sha1;
use sha2::Digest;

use crate::archive::Archive;
use crate::hashing::Hashing;
use crate::pex::{BOOTSTRAP, Layout, Member, Pex, PexError, WheelSource};
use crate::unpack::is_bytecode;

/// `pex_hash`: over PEX-INFO as it was before this very field was written into it. `None` where there is no such field.
pub(super) fn pex_hash(pex: &Pex) -> Option<String> {
    let promised = pex.info.raw.get("pex_hash")?.as_str()?;
    let text = &pex.info_bytes;
    let find = |what: &[u8], from: usize| {
        let rest = text.get(from..)?;
        Some(from + rest.windows(what.len()).position(|window| window == what)?)
    };
    let start = find(b"\"pex_hash\"", 0)?;
    let mut end = find(promised.as_bytes(), start)? + promised.len() + 1;
    // The comma behind it goes too; pex sorts its fields, so this one is never the last.
    while text.get(end).is_some_and(|byte| b", \n".contains(byte)) {
        end += 1;
    }
    let mut hash = Sha1::new();
    hash.update(&text[..start]);
    hash.update(text.get(end..)?);
    Some(hex(&hash.finalize()))
}

/// `code_hash`: over the sorted names of the user code run together, then the contents in that order, without bytecode and
/// files whose names begin with a dot. Releases in between (2.1.137 for one) counted the bootstrap as user code.
pub(super) fn code_hashes(pex: &Pex) -> Result<[String; 2], PexError> {
    let is_counted = |member: &Member| {
        let name = member.path.rsplit('/').next().unwrap_or_default();
        !name.starts_with('.') && !is_bytecode(&member.path)
    };
    let code: Vec<_> = pex.user_code()?.into_iter().filter(is_counted).collect();
    let code_alone = run_together(&code, pex.archive().map(AsRef::as_ref))?;
    let bootstrap = pex.bootstrap()?;
    let archive = bootstrap.archive.as_deref();
    let mut both: Vec<Member> = bootstrap
        .members
        .into_iter()
        .map(|member| Member {
            path: format!("{BOOTSTRAP}/{}", member.path),
            ..member
        })
        .filter(is_counted)
        .collect();
    both.extend(code);
    // In a packed PEX the two lie in different archives; the releases in question did not make such.
    let with_bootstrap = if pex.layout == Layout::Packed {
        String::new()
    } else {
        run_together(&both, archive)?
    };
    Ok([code_alone, with_bootstrap])
}

/// `bootstrap_hash`: over the contents of pex's own modules, in the order of a walk that sorts each directory and takes its
/// files before those below it; what is vendored, and the package's `__init__.py` with it, is left out. `None` where there
/// is no bootstrap.
pub(super) fn bootstrap_hash(pex: &Pex) -> Result<Option<String>, PexError> {
    let bootstrap = pex.bootstrap()?;
    let mut members: Vec<(Vec<(bool, &str)>, &Member)> = bootstrap
        .members
        .iter()
        .filter(|member| !is_bytecode(&member.path))
        .filter_map(|member| Some((member.path.strip_prefix("pex/")?, member)))
        .filter(|(path, _)| *path != "__init__.py" && !path.starts_with("vendor/"))
        .map(|(path, member)| {
            let last = path.split('/').count() - 1;
            let parts = path.split('/').enumerate();
            (parts.map(|(at, part)| (at < last, part)).collect(), member)
        })
        .collect();
    if members.is_empty() {
        return Ok(None);
    }
    members.sort_by(|one, other| one.0.cmp(&other.0));
    let mut hash = Hashing(Sha1::new());
    for (_, member) in members {
        member
            .content
            .copy(bootstrap.archive.as_deref(), &mut hash)?;
    }
    Ok(Some(hex(&hash.0.finalize())))
}

/// Whether the release that built the PEX hashed its bootstrap in an order that does not depend on the file system: from
/// 2.33.4 on, of those that were looked at.
pub(super) fn bootstrap_is_ordered(pex: &Pex) -> bool {
    let version = pex.info.pex_version.as_deref().unwrap_or_default();
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (2, 33)
}

/// The SHA-1 that old releases promised of a wheel: of the file, or as for user code of its members.
pub(super) fn wheel_sha1(pex: &Pex, name: &str) -> Result<String, PexError> {
    match pex.wheel(name)? {
        WheelSource::Chroot { archive, members } => {
            let members: Vec<Member> = members
                .into_iter()
                .filter(|member| !is_bytecode(&member.path))
                .collect();
            run_together(&members, archive.as_deref())
        }
        WheelSource::WheelFile { wheel, .. } => {
            let mut hash = Hashing(Sha1::new());
            wheel.write_to(&mut hash).map_err(|source| PexError::Io {
                path: wheel.path().to_owned(),
                source,
            })?;
            Ok(hex(&hash.0.finalize()))
        }
    }
}

/// SHA-1 over the sorted paths run together, then the contents in that order.
fn run_together(members: &[Member], archive: Option<&Archive>) -> Result<String, PexError> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by(|one, other| one.path.cmp(&other.path));
    let mut hash = Hashing(Sha1::new());
    for member in &members {
        hash.0.update(member.path.as_bytes());
    }
    for member in &members {
        member.content.copy(archive, &mut hash)?;
    }
    Ok(hex(&hash.0.finalize()))
}
