//! Text as it is shown to people: nothing that comes out of a file, a name or the environment reaches a terminal as a
//! command, as a line of ours, or in another order than it is written.
//!
//! Everything that this program prints goes through here. Letters of every script stay as they are; what is replaced by
//! U+FFFD is what Unicode lists as control (Cc), format (Cf) or separator of lines and paragraphs (Zl, Zp), and the few
//! letters that show as nothing.

use std::fmt::{self, Display, Write as _};

/// Stands for what is not shown.
const INSTEAD: char = char::REPLACEMENT_CHARACTER;

/// So many things, of which one is `one` and more are called by that with `more` behind it.
#[cfg(feature = "cli")]
#[must_use]
pub fn counted(count: usize, one: &str, more: &str) -> String {
    let more = if count == 1 { "" } else { more };
    format!("{count} {one}{more}")
}

/// The text on one line.
#[must_use]
pub fn line(text: impl Display) -> String {
    filtered(text, |_| false)
}

/// The text, which may have several lines and tabs of its own.
#[must_use]
pub fn lines(text: impl Display) -> String {
    filtered(text, |c| matches!(c, '\n' | '\t'))
}

/// JSON with an escape for each such character in a string: the same value, safe to look at.
#[cfg(feature = "cli")]
#[must_use]
pub fn json(value: &serde_json::Value) -> String {
    let mut text = String::new();
    for c in format!("{value:#}").chars() {
        if c == '\n' || !deceives(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

fn filtered(text: impl Display, allowed: fn(char) -> bool) -> String {
    struct Filter(String, fn(char) -> bool);
    impl fmt::Write for Filter {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend(text.chars().map(|c| {
                if deceives(c) && !self.1(c) {
                    INSTEAD
                } else {
                    c
                }
            }));
            Ok(())
        }
    }
    let mut filter = Filter(String::new(), allowed);
    // A text that cannot be made is shown as far as it was.
    let _ = write!(filter, "{text}");
    filter.0
}

/// Whether the character does something other than being seen.
fn deceives(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_replaced() {
        for c in [
            '\0',
            '\x07',
            '\x08',
            '\r',
            '\x1b',
            '\x7f',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{3164}',
        ] {
            let text = format!("a{c}b");
            assert_eq!(line(&text), "a\u{fffd}b", "{c:?}");
            assert_eq!(lines(&text), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn a_name_makes_no_line_and_a_message_of_several_keeps_them() {
        assert_eq!(line("a\n\tb"), "a\u{fffd}\u{fffd}b");
        assert_eq!(lines("a\n\tb"), "a\n\tb");
    }

    #[test]
    fn letters_of_every_script_stay() {
        let text = "Größe, naïve, Ελλάδα, Привет, שלום, مرحبا, हिन्दी, ไทย, 日本語, 한국어, e\u{301}, ☃, 🙂, \u{a0}|";
        assert_eq!(line(text), text);
    }

    #[test]
    fn json_is_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{9b}2J", "\u{1b}[2J", "\u{e0041}", "\n\t\\\"", "é日"] });
        let text = json(&value);
        assert!(text.chars().all(|c| c == '\n' || !deceives(c)), "{text}");
        assert!(text.contains("é日"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
