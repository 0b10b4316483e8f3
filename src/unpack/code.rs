//! User code: unpacked under its fingerprint, which is computed again from what is written.

use sha2::{Digest as _, Sha256};

use super::lay_out::{self, Bytes, Item, Witness};
use super::progress::Progress;
use super::{Shipped, UnpackError, hex};
use crate::pex::{Fingerprint, Pex};
use crate::store::{Kind, Store, StoreError, Tree};

/// See [`super::code()`].
pub(super) fn unpack(
    pex: &Pex,
    fingerprint: &[u8; 32],
    shipped: Option<&Shipped<'_>>,
    store: &Store,
) -> Result<std::path::PathBuf, UnpackError> {
    let name = match shipped {
        None => hex(fingerprint),
        Some(shipped) => {
            let both = Sha256::new().chain_update(fingerprint);
            hex(&both.chain_update(shipped.key()).finalize())
        }
    };
    let path = store.directory_noted(Kind::Code, &name, &mut |root| {
        let members = pex.user_code()?;
        let items: Vec<Item<'_>> = members
            .iter()
            .map(|member| Item {
                path: member.path.clone(),
                executable: member.executable,
                hashed: true,
                bytes: Bytes::Member(&member.content, member.size),
            })
            .collect();
        let witness = CodeHash {
            fingerprint: Fingerprint::new(&pex.info_bytes),
            member: Sha256::new(),
        };
        // Of user code there is little: nothing to look at.
        let progress = Progress::new("", 0, false);
        let archive = pex.archive().map(AsRef::as_ref);
        let witness = lay_out::write(root, &items, archive, witness, &progress)?;
        if witness.fingerprint.finish() == *fingerprint {
            let Some(shipped) = shipped else {
                return Ok(Some(lay_out::noted(&items)));
            };
            let mut tree = Tree::new(root).map_err(|source| StoreError::Io {
                path: root.to_owned(),
                source,
            })?;
            for item in &items {
                shipped.accompany_code(&item.path, &mut tree)?;
            }
            return Ok(None);
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
