//! User code: unpacked under its fingerprint, which is computed again from what is written.

use sha2::{Digest as _, Sha256};

use super::item::{self, Bytes, Item, Witness};
use super::progress::Progress;
use super::work::Work;
use super::{UnpackError, hex};
use crate::pex::{Fingerprint, Pex};
use crate::store::{Kind, Store};

/// See [`super::code()`].
pub(super) fn unpack(
    pex: &Pex,
    fingerprint: &[u8; 32],
    store: &Store,
) -> Result<std::path::PathBuf, UnpackError> {
    let path = store.directory_noted(Kind::Code, &hex(fingerprint), &mut |root| {
        let members = pex.user_code()?;
        let archive = pex.archive().map(AsRef::as_ref);
        let items: Vec<Item<'_>> = members
            .iter()
            .map(|member| {
                Ok(Item {
                    path: member.path.clone(),
                    executable: member.executable,
                    hashed: true,
                    bytes: Bytes::of(member, archive)?,
                })
            })
            .collect::<Result<_, UnpackError>>()?;
        let witness = CodeHash {
            fingerprint: pex.begin_fingerprint()?,
            member: Sha256::new(),
        };
        // Of user code there is little: nothing to look at.
        let progress = Progress::new("", 0, false);
        let witness = Work::new(root, &items, witness, &progress).finish()?;
        if witness.fingerprint.finish() == *fingerprint {
            return Ok(Some(item::noted(&items)));
        }
        Err(UnpackError::Code {
            pex: pex.path.clone(),
        }
        .into())
    })?;
    Ok(path)
}

/// The fingerprint of what is written.
struct CodeHash {
    fingerprint: Fingerprint,
    member: Sha256,
}

impl Witness for CodeHash {
    fn begin(&mut self, _item: &Item<'_>) {}

    fn bytes(&mut self, bytes: &[u8]) {
        self.member.update(bytes);
    }

    fn end(&mut self, item: &Item<'_>) {
        let digest = self.member.finalize_reset();
        self.fingerprint
            .member(&item.path, item.executable, &digest.into());
    }
}
