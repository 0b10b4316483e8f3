//! Plain tables: the same rows as aligned text for a terminal and as Markdown.

use std::fmt::Write as _;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction. Every row has as many cells as there are columns; missing ones are empty.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns, without rows.
    #[must_use]
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Table {
        let columns = columns
            .into_iter()
            .map(|(title, align)| (title.to_owned(), align))
            .collect();
        Table {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Aligned columns, two spaces apart, a line under the titles; ends with a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        let titles: Vec<String> = self
            .columns
            .iter()
            .map(|(title, _)| title.clone())
            .collect();
        self.text_line(&mut text, &titles, &widths);
        let rules: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        self.text_line(&mut text, &rules, &widths);
        for row in &self.rows {
            self.text_line(&mut text, row, &widths);
        }
        text
    }

    /// A Markdown table (GitHub's dialect); ends with a line feed.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("|");
        for (title, _) in &self.columns {
            let _ = write!(text, " {} |", escape(title));
        }
        text.push_str("\n|");
        for (_, align) in &self.columns {
            text.push_str(match align {
                Align::Left => "---|",
                Align::Right => "--:|",
            });
        }
        text.push('\n');
        for row in &self.rows {
            text.push('|');
            for cell in row {
                let _ = write!(text, " {} |", escape(cell));
            }
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(at, (title, _))| title.chars().count().max(widest(at)))
            .collect()
    }

    fn text_line(&self, text: &mut String, cells: &[String], widths: &[usize]) {
        let mut line = String::new();
        for ((cell, &width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let _ = match align {
                Align::Left => write!(line, "{cell:<width$}"),
                Align::Right => write!(line, "{cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// A cell's text, with what Markdown would take for the table's own marks escaped.
fn escape(cell: &str) -> String {
    cell.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new([("what", Align::Left), ("ms", Align::Right)]);
        table.row(["a|b".to_owned(), "1.0".to_owned()]);
        table.row(["é".to_owned(), "100.0".to_owned()]);
        table.row(["short".to_owned()]);
        table
    }

    #[test]
    fn text_is_aligned_by_characters() {
        assert_eq!(
            sample().to_text(),
            "what      ms\n─────  ─────\na|b      1.0\né      100.0\nshort\n"
        );
    }

    #[test]
    fn markdown_escapes_bars_and_aligns_numbers() {
        let expect = "| what | ms |\n|---|--:|\n| a\\|b | 1.0 |\n| é | 100.0 |\n| short |  |\n";
        assert_eq!(sample().to_markdown(), expect);
    }
}
