//! The JSON of a command: one object with the version of its schema in front.

use serde_json::{Map, Value, json};

/// Raised when a name is taken away or comes to mean something else; names may be added without.
pub const SCHEMA: u32 = 1;

/// The object with the version of its schema.
#[must_use]
pub fn document(value: Value) -> Value {
    let mut with = Map::new();
    with.insert("schema".to_owned(), json!(SCHEMA));
    if let Value::Object(items) = value {
        with.extend(items);
    }
    Value::Object(with)
}
