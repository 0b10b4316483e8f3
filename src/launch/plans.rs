//! The plans of a key: how one joins the others. Their file is replaced by a rename; who loses a race there has lost a plan
//! that the next start makes again.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use pexboot_core::hex::hex;
use pexboot_core::plan::{FILES_MAX, PLANS_MAX, encode};

use crate::plan::{Input, Plan};
use crate::store::{Kind, Store, StoreError};

/// Puts a plan before the others of its key, in the root that is written to, if there is one. Nothing is recorded of a
/// file that could change once more without showing it.
///
/// # Errors
/// When the root can't be written.
pub(super) fn record(store: &Store, key: &[u8; 32], mut plan: Plan) -> Result<(), StoreError> {
    let now = now();
    let mut looked_at = plan.inputs.iter().filter_map(|input| match input {
        Input::File(_, identity) => Some(identity),
        _ => None,
    });
    if store.lasting().is_none()
        || looked_at.any(|identity| identity.is_fresh(now))
        || plan.files.iter().any(|file| file.is_fresh(now))
    {
        return Ok(());
    }
    let mut plans = store.plans(key);
    // One whose launch is gone holds no more.
    plans.retain(|plan| {
        let launch = plan.launch();
        launch.is_none_or(|launch| Path::new(OsStr::from_bytes(launch)).is_dir())
    });
    if let Some(at) = plans.iter().position(|known| same(known, &plan)) {
        for file in plans.remove(at).files {
            if !plan.files.contains(&file) {
                plan.files.push(file);
            }
        }
        plan.files.truncate(FILES_MAX);
    }
    plans.insert(0, plan);
    plans.truncate(PLANS_MAX);
    store.file(Kind::Plans, &hex(key), &encode(&plans))?;
    Ok(())
}

/// Whether both give the same answer to the same questions, for whatever copies of one content.
fn same(one: &Plan, other: &Plan) -> bool {
    one.fingerprint == other.fingerprint
        && one.portable == other.portable
        && one.inputs == other.inputs
        && one.exec == other.exec
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
