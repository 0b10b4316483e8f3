//! Places in a Markdown document that a measurement fills: whatever stands between `<!-- run NAME: WHAT -->` and
//! `<!-- end of run -->` is replaced, the marks stay, and nothing else changes.

/// The line after what is filled in.
const END: &str = "<!-- end of run -->";

/// `text` with every place for the run `name` filled by what `block` gives for its WHAT.
///
/// # Errors
/// When a mark is not finished, has no end, or names what `block` does not know.
pub fn fill(
    text: &str,
    name: &str,
    block: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mark = format!("<!-- run {name}: ");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&mark) {
        let after = &rest[at + mark.len()..];
        let (what, after) = after
            .split_once(" -->")
            .ok_or_else(|| format!("`{mark}` is not finished by ` -->`"))?;
        let (_, after) = after
            .split_once(END)
            .ok_or_else(|| format!("`{mark}{what} -->` is not followed by `{END}`"))?;
        let content = block(what).ok_or_else(|| format!("a run has no `{what}`"))?;
        out += &rest[..at];
        out += &format!("{mark}{what} -->\n\n{}\n\n{END}", content.trim_end());
        rest = after;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(what: &str) -> Option<String> {
        (what == "number").then(|| "42\n".to_owned())
    }

    #[test]
    fn places_of_that_run_are_filled_and_stay_fillable() {
        let text = "a\n<!-- run x: number -->\nold\n<!-- end of run -->\nb\n<!-- run y: number -->\nkept\n<!-- end of run -->\n";
        let filled = fill(text, "x", &number).unwrap();
        assert_eq!(filled, text.replace("\nold\n", "\n\n42\n\n"));
        assert_eq!(fill(&filled, "x", &number).unwrap(), filled);
    }

    #[test]
    fn a_place_that_cannot_be_filled_is_refused() {
        for text in [
            "<!-- run x: number",
            "<!-- run x: number -->\n",
            "<!-- run x: other -->\n<!-- end of run -->",
        ] {
            assert!(fill(text, "x", &number).is_err(), "{text}");
        }
    }
}
