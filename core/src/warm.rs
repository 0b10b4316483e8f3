//! A warm start: which plan of which root holds. Stub, engine and command line ask here, and nobody else reads plans to
//! start by them. All that is ever written is the time stamp of what was found.

use alloc::vec::Vec;
use core::cell::OnceCell;

use rustix::fd::OwnedFd;
use rustix::fs::{Stat, Timespec, Timestamps, UTIME_NOW};

use crate::key::{Subject, key, may_select};
use crate::machine::{self, Machine};
use crate::paths;
use crate::plan::{Identity, Plan, Plans, SIZE_MAX};
use crate::replay::{Broken, Launch, broken, holds};
use crate::roots::safety::User;
use crate::roots::{Candidate, Kind};
use crate::seal::Seal;
use crate::{env, plan};

/// One start, as far as a plan is chosen by it.
pub struct Start<'a> {
    /// What was started, how.
    pub launch: Launch<'a>,
    /// What P is.
    pub identity: Identity,
    /// The seal of the file; `None` for a bare PEX.
    pub seal: Option<&'a Seal>,
    /// The user, and what it trusts.
    pub user: User<'a>,
    /// The fingerprint of the file's content, computed, where the caller can: a bare PEX in a seed is told by it alone.
    pub fingerprint: &'a dyn Fn() -> Option<[u8; 32]>,
    /// Whether the content is what counts, in any root: the caller has computed its fingerprint.
    pub checked: bool,
}

/// A plan that holds.
pub struct Found {
    /// The plan.
    pub plan: Plan,
    /// Its file.
    pub file: OwnedFd,
    /// When that was last stamped, seconds since 1970; `None` in a seed, where nothing is stamped.
    pub stamped: Option<i64>,
}

impl Start<'_> {
    /// The key of the plans of this start.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        let bare = Seal::default();
        let name = self.launch.pex.rsplit(|&byte| byte == b'/').next();
        let subject = Subject {
            seal: self.seal.unwrap_or(&bare),
            name: name.unwrap_or(self.launch.pex),
        };
        // Some thirty names are looked for, and few variables are called like any of them.
        let selecting: Vec<&[u8]> = self
            .launch
            .env
            .iter()
            .copied()
            .filter(|entry| may_select(entry))
            .collect();
        key(subject, |name| env::get(&selecting, name.as_bytes()))
    }

    /// The first plan that holds, of the first root that has one.
    #[must_use]
    pub fn find(&self, key: &[u8; 32], roots: &[Candidate]) -> Option<Found> {
        roots.iter().find_map(|root| self.find_in(key, root))
    }

    fn find_in(&self, key: &[u8; 32], root: &Candidate) -> Option<Found> {
        let seed = root.kind == Kind::Seed;
        let (bytes, file, stat) = read(key, root, self.user)?;
        let fixed = OnceCell::new();
        let fixed = || *fixed.get_or_init(|| is_fixed(root));
        let plan = Plans::of(&bytes)
            .take(plan::PLANS_MAX)
            .find(|plan| self.is_of(plan, &fixed) && holds(plan, self.launch, &Machine))?;
        Some(Found {
            plan,
            file,
            stamped: (!seed).then_some(stat.st_mtime),
        })
    }

    /// Tells why each plan of each root is not the one: the root, and what of the plan does not hold, `None` for a plan of
    /// another file. For a start that is to be told about.
    pub fn misses(
        &self,
        key: &[u8; 32],
        roots: &[Candidate],
        tell: &mut dyn FnMut(&[u8], Option<Broken<'_>>),
    ) {
        for root in roots {
            let Some((bytes, ..)) = read(key, root, self.user) else {
                continue;
            };
            for plan in Plans::of(&bytes).take(plan::PLANS_MAX) {
                match self.is_of(&plan, &|| is_fixed(root)) {
                    true => tell(&root.path, broken(&plan, self.launch, &Machine)),
                    false => tell(&root.path, None),
                }
            }
        }
    }

    /// Whether the plan was made for the content of the file that was started. In a root that is `fixed` the file's own
    /// times say nothing, since builders of images set them to what they like.
    fn is_of(&self, plan: &Plan, fixed: &dyn Fn() -> bool) -> bool {
        if !plan.portable && plan.files.contains(&self.identity) {
            return true;
        }
        if !(self.checked && !plan.portable || fixed()) {
            return false;
        }
        match self.seal {
            Some(seal) if !self.checked => {
                seal.file_size == self.identity.size && seal.fingerprint == plan.fingerprint
            }
            _ => (self.fingerprint)() == Some(plan.fingerprint),
        }
    }
}

impl Found {
    /// Notes that the plan is in use, at most once a day, so that prune knows. `now` is in seconds since 1970.
    pub fn stamp(&self, now: i64) {
        /// After so many seconds the time stamp is set anew.
        const DAY: i64 = 24 * 60 * 60;
        let due = |stamped| now.saturating_sub(stamped) > DAY;
        if self.stamped.is_some_and(due) {
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_NOW,
            };
            // A root that can't be written to has nobody who would prune it.
            let _ = rustix::fs::futimens(
                &self.file,
                &Timestamps {
                    last_access: now,
                    last_modification: now,
                },
            );
        }
    }
}

/// Whether a root stays as it is: a seed, and what can't be written to.
fn is_fixed(root: &Candidate) -> bool {
    let format = paths::below(&root.path, &[paths::FORMAT.as_bytes()]);
    root.kind == Kind::Seed || !machine::can_write(&format)
}

/// The plans of that key, if the root can be trusted and has some: their bytes, the open file and its status.
fn read(key: &[u8; 32], root: &Candidate, user: User<'_>) -> Option<(Vec<u8>, OwnedFd, Stat)> {
    let root = machine::safe(&root.path, user).ok()?;
    let file = machine::open(&paths::plans(&root.path, key)).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    let size = usize::try_from(stat.st_size)
        .ok()
        .filter(|&size| size <= SIZE_MAX)?;
    if !machine::trusted(&stat, &root) {
        return None;
    }
    let bytes = machine::read(&file, 0, size)?;
    Some((bytes, file, stat))
}
