//! The environment as what it is: an ordered list of `NAME=VALUE`, in any bytes, perhaps with a name twice, perhaps with
//! entries that hold no `=` at all. Those last are nobody's variable and are passed on as they are.

use alloc::vec::Vec;

use crate::plan::{EnvChange, Value};

/// The value of the first variable of that name, as getenv has it.
#[must_use]
pub fn get<'e>(env: &[&'e [u8]], name: &[u8]) -> Option<&'e [u8]> {
    env.iter().find_map(|entry| value_in(entry, name))
}

/// The value if `entry` sets the variable `name`.
fn value_in<'e>(entry: &'e [u8], name: &[u8]) -> Option<&'e [u8]> {
    entry.strip_prefix(name)?.strip_prefix(b"=")
}

/// The name of the variable that `entry` sets.
fn name_in(entry: &[u8]) -> Option<&[u8]> {
    entry
        .iter()
        .position(|&b| b == b'=')
        .and_then(|end| entry.get(..end))
}

/// `env` with `entry` (`NAME=VALUE`) in place of every variable of that name.
#[must_use]
pub fn with<'e>(env: &[&'e [u8]], entry: &'e [u8]) -> Vec<&'e [u8]> {
    let name = name_in(entry).unwrap_or(entry);
    let mut list = env.to_vec();
    list.retain(|other| value_in(other, name).is_none());
    list.push(entry);
    list
}

/// `env` without the variables of `drop`, then with `changes` applied in order; `fill` knows each [`Value`].
pub(crate) fn changed(
    env: &[&[u8]],
    drop: &[&[u8]],
    changes: &[EnvChange],
    fill: impl Fn(&Value) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let mut list: Vec<Vec<u8>> = env.iter().map(|entry| entry.to_vec()).collect();
    for name in drop {
        remove(&mut list, name);
    }
    for change in changes {
        let old = |name| list.iter().find_map(|entry| value_in(entry, name));
        let (name, value) = match change {
            EnvChange::Remove(name) => {
                remove(&mut list, name);
                continue;
            }
            EnvChange::RemovePrefix(prefix) => {
                list.retain(|entry| !name_in(entry).is_some_and(|name| name.starts_with(prefix)));
                continue;
            }
            EnvChange::SetDefault(name, _) if old(name).is_some() => continue,
            EnvChange::Set(name, value) | EnvChange::SetDefault(name, value) => (name, fill(value)),
            EnvChange::Prepend(name, text) => (name, joined(text, old(name).unwrap_or_default())),
            EnvChange::Append(name, text) => (name, joined(old(name).unwrap_or_default(), text)),
        };
        set(&mut list, name, &value);
    }
    list
}

fn remove(list: &mut Vec<Vec<u8>>, name: &[u8]) {
    list.retain(|entry| value_in(entry, name).is_none());
}

/// Both with a colon between, or the one that is not empty.
fn joined(before: &[u8], behind: &[u8]) -> Vec<u8> {
    let colon: &[u8] = if before.is_empty() || behind.is_empty() {
        b""
    } else {
        b":"
    };
    [before, colon, behind].concat()
}

/// Where the variable stood first it stands on with the new value; further ones of the name go.
fn set(list: &mut Vec<Vec<u8>>, name: &[u8], value: &[u8]) {
    let entry = [name, b"=", value].concat();
    let Some(first) = list.iter().position(|old| value_in(old, name).is_some()) else {
        list.push(entry);
        return;
    };
    remove(list, name);
    list.insert(first, entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;

    /// The environment `before` after `changes`, as text.
    fn check(before: &[&str], changes: &[EnvChange], after: &[&str]) {
        let before: Vec<&[u8]> = before.iter().map(|entry| entry.as_bytes()).collect();
        let got = changed(&before, &[b"_OURS"], changes, |value| match value {
            Value::Text(text) => text.clone(),
            Value::RealPex => b"/real".to_vec(),
            Value::InvokedPex => b"/p".to_vec(),
            Value::Note(note) => note.text(b"/p"),
        });
        let got: Vec<&str> = got
            .iter()
            .map(|entry| str::from_utf8(entry).unwrap())
            .collect();
        assert_eq!(got, after);
    }

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    #[test]
    fn what_nothing_changes_stays_in_order() {
        check(
            &["B=1", "A=", "junk", "=x", "B=2"],
            &[],
            &["B=1", "A=", "junk", "=x", "B=2"],
        );
    }

    #[test]
    fn ours_are_never_passed_on() {
        check(
            &["_OURS=1", "A=1", "_OURS=", "_OURS_TOO=1"],
            &[],
            &["A=1", "_OURS_TOO=1"],
        );
    }

    #[test]
    fn ours_can_be_set_anew() {
        let note = Note {
            mends: true,
            first: false,
        };
        let set = EnvChange::Set(b"_OURS".to_vec(), Value::Note(note));
        check(&["_OURS=old", "A=1"], &[set], &["A=1", "_OURS=m/p"]);
    }

    #[test]
    fn remove_takes_every_one_of_the_name_and_nothing_else() {
        let remove = EnvChange::Remove(b"A".to_vec());
        check(
            &["A=1", "AB=1", "A", "A=2", "a=3"],
            &[remove],
            &["AB=1", "A", "a=3"],
        );
    }

    #[test]
    fn remove_prefix_looks_at_names_alone() {
        let remove = EnvChange::RemovePrefix(b"PEX_".to_vec());
        check(
            &["PEX_A=1", "PEX=1", "PEX_", "PEX_=2", "X=PEX_", "PEX_JUNK"],
            &[remove],
            &["PEX=1", "PEX_", "X=PEX_", "PEX_JUNK"],
        );
    }

    #[test]
    fn set_replaces_the_first_and_drops_the_others() {
        let set = EnvChange::Set(b"A".to_vec(), Value::RealPex);
        check(
            &["A=1", "B=1", "A=2"],
            core::slice::from_ref(&set),
            &["A=/real", "B=1"],
        );
        check(&["B=1"], &[set], &["B=1", "A=/real"]);
        assert_eq!(
            with(&[b"A=1", b"B=1", b"A", b"A=2"], b"A=3"),
            [b"B=1".as_slice(), b"A", b"A=3"]
        );
    }

    #[test]
    fn set_default_respects_even_an_empty_value() {
        let set = EnvChange::SetDefault(b"A".to_vec(), text("x"));
        check(&["A="], core::slice::from_ref(&set), &["A="]);
        check(&["A"], &[set], &["A", "A=x"]);
    }

    #[test]
    fn prepend_and_append_join_with_a_colon_where_there_is_a_value() {
        let prepend = EnvChange::Prepend(b"P".to_vec(), b"/v".to_vec());
        let append = EnvChange::Append(b"P".to_vec(), b"/v".to_vec());
        check(&["P=/b"], core::slice::from_ref(&prepend), &["P=/v:/b"]);
        check(&["P=/b"], core::slice::from_ref(&append), &["P=/b:/v"]);
        check(
            &["P=/b"],
            &[prepend.clone(), append.clone()],
            &["P=/v:/b:/v"],
        );
        for change in [prepend, append] {
            check(&["P="], core::slice::from_ref(&change), &["P=/v"]);
            check(&[], &[change], &["P=/v"]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let got = changed(
            &[b"A=\xff", b"\xfe=1"],
            &[],
            &[EnvChange::Remove(b"B".to_vec())],
            |_| Vec::new(),
        );
        assert_eq!(got, [b"A=\xff".as_slice(), b"\xfe=1"]);
        assert_eq!(get(&[b"A=\xff"], b"A"), Some(b"\xff".as_slice()));
    }

    #[test]
    fn the_first_of_several_counts() {
        assert_eq!(
            get(&[b"AB=0", b"A", b"A=1", b"A=2"], b"A"),
            Some(b"1".as_slice())
        );
        assert_eq!(get(&[b"A"], b"A"), None);
    }
}
