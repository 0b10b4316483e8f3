//! `V/__main__.py` and `V/pex`: the application, for whoever starts the environment and not the PEX; and `V/pex-repl`.

use std::fmt::Write as _;
use std::path::Path;

use super::image::Image;
use super::{FillIo, Request};
use crate::boot::Session;
use crate::packaging::scripts::Shebang;
use crate::pex_info::BinPath;

/// The program, which looks for `SETTINGS`.
const PROGRAM: &str = include_str!("main.py");

/// `V/pex-repl`: an interactive session whatever the entry point; behind `SESSION`.
const REPL: &str = concat!(
    include_str!("../boot/repl.py"),
    "\n\nif __name__ == \"__main__\":\n    \
     from os import environ\n\n    \
     history = environ.get(\"PEX_INTERPRETER_HISTORY\", \"0\").lower() in (\"1\", \"true\")\n    \
     run(SESSION, environ.get(\"PEX\"), history, environ.get(\"PEX_INTERPRETER_HISTORY_FILE\"))\n"
);

/// These, and the PEX-INFO as it was at rest.
pub(super) fn make(
    request: &Request<'_>,
    shebang: &Shebang,
    place: &Path,
    image: &mut Image,
) -> Result<(), FillIo> {
    let info = request.info;
    let mut text = shebang.lines(b"# -*- coding: utf-8 -*-\n");
    text.extend(
        format!(
            "SETTINGS = {{\n    \"options\": {options},\n    \"bin_path\": {bin_path},\n    \"strip\": {strip},\n    \
             \"inject_env\": {inject_env},\n    \"bind\": {bind},\n    \"inject_args\": {inject_args},\n    \
             \"entry_point\": {entry_point},\n    \"script\": {script},\n}}\n\n",
            options = if shebang.hermetic { "[\"-I\"]" } else { "[]" },
            bin_path = literal(match info.venv_bin_path {
                BinPath::False => "false",
                BinPath::Prepend => "prepend",
                BinPath::Append => "append",
            }),
            strip = if info.strip_pex_env { "True" } else { "False" },
            inject_env = pairs(&info.inject_env),
            bind = pairs(&info.bind_resource_paths),
            inject_args = list(info.inject_args.iter().map(|arg| literal(arg))),
            entry_point = optional(info.entry_point.as_deref()),
            script = optional(info.script.as_deref()),
        )
        .bytes(),
    );
    text.extend(PROGRAM.bytes());
    image.text("__main__.py", text, true)?;
    image.neighbour("pex", "__main__.py".to_owned())?;
    let mut repl = shebang.lines(b"# -*- coding: utf-8 -*-\n");
    let requirements: Vec<&str> = info.requirements.iter().map(String::as_str).collect();
    let wheels: Vec<&str> = request
        .wheels
        .iter()
        .map(|wheel| wheel.name.as_str())
        .collect();
    let session = Session {
        info,
        requirements: &requirements,
        wheels: &wheels,
        venv: Some(place),
        root: place,
    };
    repl.extend(format!("SESSION = {}\n\n{REPL}", literal(&session.json())).bytes());
    image.text("pex-repl", repl, true)?;
    image.text("PEX-INFO", request.info_bytes.to_vec(), false)?;
    Ok(())
}

fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "None".to_owned(), literal)
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn pairs(items: &[(String, String)]) -> String {
    list(
        items
            .iter()
            .map(|(name, value)| format!("({}, {})", literal(name), literal(value))),
    )
}

/// A string literal of Python, in ASCII.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            ' '..='~' => write!(out, "{c}"),
            _ => write!(out, "\\U{:08x}", u32::from(c)),
        };
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn literals_mean_the_same_to_python() {
        assert_eq!(
            literal("a \"b\" \\c\n\u{e9}{x}"),
            "\"a \\\"b\\\" \\\\c\\U0000000a\\U000000e9{x}\""
        );
    }
}
