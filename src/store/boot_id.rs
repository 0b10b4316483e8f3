//! Which boot of which machine wrote something: within one, what was written is there.

use pexboot_core::machine::Machine;
use pexboot_core::replay::World as _;

/// Identifies one boot of one machine (`/proc/sys/kernel/random/boot_id`), without its dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// On disk, whatever boot it is.
    pub const ON_DISK: BootId = BootId([0; 16]);
    /// No boot: of an entry so marked nothing is taken on trust.
    pub(super) const UNKNOWN: BootId = BootId([0xff; 16]);

    /// The running boot.
    #[must_use]
    pub fn current() -> BootId {
        Machine.boot_id().map_or(BootId::UNKNOWN, BootId)
    }

    /// Reads 32 hex digits, dashes between them skipped.
    pub(super) fn parse(text: &[u8]) -> Option<BootId> {
        let mut digits = text
            .iter()
            .filter(|&&byte| byte != b'-')
            .map(|&byte| char::from(byte).to_digit(16));
        let mut id = [0; 16];
        for byte in &mut id {
            let (high, low) = (digits.next()??, digits.next()??);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then_some(BootId(id))
    }

    pub(super) fn hex(self) -> String {
        pexboot_core::hex::hex(&self.0)
    }
}
