//! Horizontal bar charts as SVG, readable on their own: no script, no font to load, a ground of their own, white or dark
//! as the reader's screen is.
//!
//! Each group has its own scale, its longest bar being as long as the chart allows: applications differ by more than
//! launchers do. A dashed line marks the baseline's length.

use std::fmt::Write as _;

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The first line.
    pub title: String,
    /// The second, smaller: what is shown, on which machine.
    pub note: String,
    /// From top to bottom.
    pub groups: Vec<Group>,
}

/// Bars that share a scale.
#[derive(Debug, Clone)]
pub struct Group {
    /// The heading above them.
    pub label: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The name, left of it.
    pub label: String,
    /// Its length; not negative.
    pub value: f64,
    /// The value as text, right of it.
    pub text: String,
    /// More text, at the right edge; may be empty.
    pub detail: String,
    /// Its colour.
    pub role: Role,
}

/// What a bar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What the chart is about.
    Ours,
    /// What the others are compared with.
    Baseline,
    /// Anything else.
    Other,
}

impl Role {
    /// Its class in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Role::Ours => "bar-ours",
            Role::Baseline => "bar-baseline",
            Role::Other => "bar-other",
        }
    }
}

const WIDTH: f64 = 880.0;
const MARGIN: f64 = 24.0;
const LABELS: f64 = 220.0;
/// Room behind the longest bar for its value, and at the right edge for the detail.
const VALUES: f64 = 140.0;
const BAR: f64 = 18.0;
const STEP: f64 = 24.0;
const HEADING: f64 = 34.0;
const NOTE_LINE: f64 = 17.0;
const NOTE_CHARACTERS: usize = 125;

/// Two sets of colours, each with a contrast of 4.5 to 1 at least between text and ground.
const STYLE: &str = "\
text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 13px; fill: #1f2328; }
.title { font-size: 20px; font-weight: 600; }
.note, .detail { fill: #59636e; }
.note { font-size: 12px; }
.group, .ours { font-weight: 600; }
.label, .detail { text-anchor: end; }
.line { stroke: #6e7781; stroke-dasharray: 3 3; }
.ground { fill: #ffffff; }
.bar-ours { fill: #1f6feb; }
.bar-baseline { fill: #6e7781; }
.bar-other { fill: #c5ccd3; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note, .detail { fill: #9198a1; }
.line { stroke: #9198a1; }
.ground { fill: #0d1117; }
.bar-ours { fill: #4493f8; }
.bar-baseline { fill: #8b949e; }
.bar-other { fill: #444c56; }
}
";

impl Chart {
    /// The chart as an SVG document.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut body = String::new();
        let mut y = 40.0;
        text(&mut body, "title", (MARGIN, y), &self.title);
        y += 6.0;
        for line in wrap(&self.note, NOTE_CHARACTERS) {
            y += NOTE_LINE + 2.0;
            text(&mut body, "note", (MARGIN, y), &line);
        }
        y += 12.0;
        for group in &self.groups {
            y = draw(&mut body, group, y);
        }
        let height = y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{}</title>\n<style>\n\
             {STYLE}</style>\n\
             <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n{body}</svg>\n",
            escape(&self.title),
        )
    }
}

/// Draws a group from `y` on; gives the height reached.
fn draw(body: &mut String, group: &Group, y: f64) -> f64 {
    let left = MARGIN + LABELS;
    let longest = group
        .bars
        .iter()
        .map(|bar| bar.value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let length = |value: f64| value / longest * (WIDTH - left - VALUES - MARGIN);
    text(body, "group", (MARGIN, y + 22.0), &group.label);
    let top = y + HEADING;
    let bottom = top + STEP * group.bars.len() as f64;
    for (at, bar) in group.bars.iter().enumerate() {
        let top = top + STEP * at as f64;
        let base = top + BAR - 5.0;
        let emphasis = if bar.role == Role::Ours { " ours" } else { "" };
        text(
            body,
            &format!("label{emphasis}"),
            (left - 10.0, base),
            &bar.label,
        );
        let _ = writeln!(
            body,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\" class=\"{}\"/>",
            length(bar.value).max(1.0),
            bar.role.class(),
        );
        text(
            body,
            &format!("value{emphasis}"),
            (left + length(bar.value) + 8.0, base),
            &bar.text,
        );
        text(
            body,
            &format!("detail{emphasis}"),
            (WIDTH - MARGIN, base),
            &bar.detail,
        );
    }
    if let Some(baseline) = group.bars.iter().find(|bar| bar.role == Role::Baseline) {
        let x = left + length(baseline.value);
        let _ = writeln!(
            body,
            "<line class=\"line\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
            top - 4.0,
            bottom - STEP + BAR + 4.0,
        );
    }
    bottom + 4.0
}

fn text(body: &mut String, class: &str, (x, y): (f64, f64), content: &str) {
    if !content.is_empty() {
        let _ = writeln!(
            body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(content)
        );
    }
}

/// Lines of at most `limit` characters, broken at spaces.
fn wrap(content: &str, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in content.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text as XML wants it.
fn escape(content: &str) -> String {
    content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64, role: Role) -> Bar {
        Bar {
            label: label.to_owned(),
            value,
            text: format!("{value} ms"),
            detail: String::new(),
            role,
        }
    }

    fn chart() -> Chart {
        let bars = vec![
            bar("a <b> & \"c\"", 200.0, Role::Baseline),
            bar("half", 100.0, Role::Ours),
        ];
        Chart {
            title: "T".into(),
            note: "n".into(),
            groups: vec![Group {
                label: "g".into(),
                bars,
            }],
        }
    }

    fn widths(svg: &str) -> Vec<f64> {
        let bars = svg.lines().filter(|line| line.starts_with("<rect x="));
        bars.map(|line| {
            line.split("width=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let widths = widths(&chart().to_svg());
        assert!((widths[0] / widths[1] - 2.0).abs() < 0.01, "{widths:?}");
    }

    #[test]
    fn labels_are_escaped() {
        assert!(
            chart()
                .to_svg()
                .contains(">a &lt;b&gt; &amp; &quot;c&quot;</text>")
        );
    }

    #[test]
    fn a_group_of_zeros_or_without_bars_draws_nothing_odd() {
        let mut chart = chart();
        chart.groups[0].bars[0].value = 0.0;
        chart.groups[0].bars[1].value = 0.0;
        chart.groups.push(Group {
            label: "empty".into(),
            bars: Vec::new(),
        });
        let svg = chart.to_svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn long_notes_are_wrapped_at_spaces() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("", 5), Vec::<String>::new());
    }
}
