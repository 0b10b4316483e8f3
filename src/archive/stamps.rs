//! What a central directory says of its members beyond what a launch needs: time and attributes, as pex notes them down
//! when it installs a wheel file (`original-whl-info.json`, reference 9.3).

use super::bytes::{u16_at, u32_at};
use super::{Archive, ArchiveError, directory, names};

/// One header of a central directory; of several members with one name each has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Name as stored, decoded.
    pub name: String,
    /// Year, month, day, hour, minute, second as stored (APPNOTE 4.4.6), not checked to be a date.
    pub date_time: [u16; 6],
    /// External file attributes (APPNOTE 4.4.15).
    pub external_attributes: u32,
}

impl Archive {
    /// Every header of the central directory, in order.
    ///
    /// # Errors
    /// When it cannot be read again.
    pub fn stamps(&self) -> Result<Vec<Stamp>, ArchiveError> {
        let bytes = self
            .source
            .read_up_to(self.located.start, self.located.size)?;
        directory::headers(&bytes, self.located.count)
            .map(|header| {
                let header = header.map_err(|fault| ArchiveError::Directory {
                    path: self.path().to_owned(),
                    fault,
                })?;
                let record = header.record;
                let name = names::decode(header.name, u16_at(record, 8)).map_err(|fault| {
                    self.source
                        .member(&String::from_utf8_lossy(header.name), fault)
                })?;
                let (time, date) = (u16_at(record, 12), u16_at(record, 14));
                Ok(Stamp {
                    name,
                    date_time: [
                        (date >> 9) + 1980,
                        date >> 5 & 0xf,
                        date & 0x1f,
                        time >> 11,
                        time >> 5 & 0x3f,
                        (time & 0x1f) * 2,
                    ],
                    external_attributes: u32_at(record, 38),
                })
            })
            .collect()
    }
}
