//! Header fields (RFC 822) of METADATA and WHEEL, as Python's `email` reads them.
//!
//! Bytes that are no text are borne; what follows the headers is not read.

/// The header fields of one file, in order.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Reads METADATA: fields up to the first line that is none, or continues none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Headers {
        Headers(fields(&String::from_utf8_lossy(head(bytes))))
    }

    /// Reads WHEEL. Blank lines between headers are found in the wild; WHEEL has no body that they could begin.
    #[must_use]
    pub fn parse_wheel(bytes: &[u8]) -> Headers {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split(['\n', '\r']);
        let told: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
        Headers(fields(&told.join("\n")))
    }

    /// The values of a field, in order.
    pub fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let fields = self.0.iter();
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a field; of one that is there twice, the first.
    #[must_use]
    pub fn first<'h>(&'h self, name: &'h str) -> Option<&'h str> {
        self.all(name).next()
    }
}

/// The bytes up to the first empty line: descriptions are long, and of no interest.
fn head(bytes: &[u8]) -> &[u8] {
    let blank = |pair: &[u8]| pair == b"\n\n" || pair == b"\n\r" || pair == b"\r\r";
    let end = bytes.windows(2).position(blank);
    &bytes[..end.map_or(bytes.len(), |end| end + 1)]
}

/// `Name: value`, continued on lines that begin with a blank, up to the first line that is neither. What follows the
/// value on its line is part of it.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text
        .split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
    {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            break;
        }
        let value = value.trim_start_matches([' ', '\t']);
        fields.push((name.to_owned(), value.to_owned()));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `email` of Python says of the same text.
    #[test]
    fn fields_are_those_that_email_finds() {
        #[track_caller]
        fn check(text: &str, expected: &[(&str, &str)]) {
            let Headers(fields) = Headers::parse(text.as_bytes());
            let fields: Vec<(&str, &str)> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(fields, expected, "{text:?}");
        }
        let both = [("Name", "a"), ("Version", "1")];
        check("Name:\ta\nVersion: 1\n", &both);
        check("Name: a\r\nVersion:1", &both);
        check("Name: a\rVersion: 1\r", &both);
        check(" x\nName: a\nVersion: 1\n", &both);
        check("Name: a\nVersion: 1\n\nBody: x\n", &both);
        check("Name: a \n", &[("Name", "a ")]);
        check("Name: a\nno header\nVersion: 1\n", &[("Name", "a")]);
        check("no header\nName: a\n", &[]);
        check("Name : a\n", &[]);
        check("\nName: a\n", &[]);
        check("Name: a\n:x\n", &[("Name", "a"), ("", "x")]);
    }

    #[test]
    fn a_wheel_file_may_have_blank_lines() {
        let wheel =
            Headers::parse_wheel(b"Wheel-Version: 1.0\n\n \r\nTag: a-b-c\n\ntag: d-e-f\r\n");
        assert_eq!(wheel.first("wheel-version"), Some("1.0"));
        assert_eq!(wheel.all("Tag").collect::<Vec<_>>(), ["a-b-c", "d-e-f"]);
        assert_eq!(wheel.first("Root-Is-Purelib"), None);
    }
}
