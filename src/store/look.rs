//! The roots for someone who only looks: nothing is made, and nothing can be written.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once};

use super::roots::{self, Candidates, Refusal};
use super::{BootId, Store, StoreError};

impl Store {
    /// The roots that [`Store::open`] would find, as they are now. [`Store::root`] is the one that it would write to, which
    /// may be missing.
    ///
    /// # Errors
    /// When an explicit root is not safe or no root could be used.
    pub fn look(explicit: Option<&Path>, warn: &mut dyn FnMut(&str)) -> Result<Store, StoreError> {
        let candidates = Candidates::of_process(explicit);
        let mut readable: Vec<PathBuf> = Vec::new();
        for seed in &candidates.seeds {
            match roots::open_seed(seed) {
                Ok(path) => readable.push(path),
                Err(refusal) => {
                    let seed = seed.display();
                    warn(&format!("seed `{seed}` is passed over: {refusal}"));
                }
            }
        }
        let mut root = None;
        let mut refused = String::new();
        let named = candidates.explicit.as_ref().or(candidates.cache.as_ref());
        for path in named.into_iter().chain([&candidates.fallback]) {
            let why = match roots::look(path) {
                Ok(None) => {
                    root = Some(path.clone());
                    break;
                }
                Ok(Some(found)) => {
                    readable.push(found.path.clone());
                    let Some(error) = found.unwritable else {
                        root = Some(found.path);
                        break;
                    };
                    format!("it cannot be written: {error}")
                }
                Err(Refusal::Unsafe(why)) if candidates.explicit.as_ref() == Some(path) => {
                    let path = path.clone();
                    return Err(StoreError::Root { path, why });
                }
                Err(refusal) => refusal.to_string(),
            };
            warn(&format!("root `{}` is passed over: {why}", path.display()));
            refused = why;
        }
        // Where nothing can be written, what can be read is all that there is.
        let Some(root) = root.or_else(|| readable.last().cloned()) else {
            return Err(StoreError::Root {
                path: candidates.fallback,
                why: refused,
            });
        };
        Ok(Store {
            readable,
            writable: None,
            refused: (root, "it is only looked at".to_owned()),
            boot: BootId::current(),
            distrust: false,
            swept: Once::new(),
            discarded: Mutex::default(),
        })
    }
}
