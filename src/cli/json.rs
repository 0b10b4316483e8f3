//! The JSON of a command: one object with the version of its schema in front.

use serde_json::{Map, Value, json};

use crate::shown;

/// Raised when a name is taken away or comes to mean something else; names may be added without.
pub const SCHEMA: u32 = 1;

/// The object with the version of its schema, as it is printed.
#[must_use]
pub fn text(value: Value) -> String {
    let mut with = Map::new();
    with.insert("schema".to_owned(), json!(SCHEMA));
    if let Value::Object(items) = value {
        with.extend(items);
    }
    shown::json(&Value::Object(with)) + "\n"
}
