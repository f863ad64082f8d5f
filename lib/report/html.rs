//! HTML and SVG as text. What comes from elsewhere (hosts, commands, messages) is escaped here, and nowhere else.

use std::fmt::Write;

use crate::report::units;

/// A piece of a page.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Html {
        Html::default()
    }

    /// The text of it.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Begins an element.
    pub(super) fn open(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
    ) -> &mut Html {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            push_escaped(&mut self.0, value);
            self.0.push('"');
        }
        self.0.push('>');
        self
    }

    /// Ends an element.
    pub(super) fn close(&mut self, name: &'static str) -> &mut Html {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        push_escaped(&mut self.0, text);
        self
    }

    /// Adds an element with nothing but text in it.
    pub(super) fn leaf(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> &mut Html {
        self.open(name, attributes).text(text).close(name)
    }

    /// Adds what is whole already.
    pub(super) fn push(&mut self, other: Html) -> &mut Html {
        self.0.push_str(&other.0);
        self
    }

    /// Adds words of this program, which are HTML.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Ends a line of the source.
    pub(super) fn line(&mut self) -> &mut Html {
        self.0.push('\n');
        self
    }
}

/// Adds `text` so that it is nothing but text, in an element or between the quotes of an attribute. Control
/// characters are shown, and so are those that change the direction of what follows.
fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_hidden(c) => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Whether a character shows nothing of itself, and other text otherwise than it is.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A cell of a table.
pub(super) enum HtmlCell {
    Text(String),
    /// Something to type.
    Code(String),
    /// How an attempt or a stage ended: the word for its colour, and what is shown.
    Badge(&'static str, String),
    Count(Option<u64>),
    Bytes(Option<u64>),
    Seconds(Option<f64>),
    /// A factor.
    Times(f64),
    /// A part of 1.
    Percent(f64),
}

impl HtmlCell {
    pub(super) fn text(text: impl Into<String>) -> HtmlCell {
        HtmlCell::Text(text.into())
    }

    pub(super) fn count(count: usize) -> HtmlCell {
        HtmlCell::Count(Some(count as u64))
    }

    fn is_number(&self) -> bool {
        !matches!(self, HtmlCell::Text(_) | HtmlCell::Code(_) | HtmlCell::Badge(..))
    }

    /// The number as it is in the lines, and as it is shown.
    pub(super) fn number(&self) -> Option<(String, String)> {
        match self {
            HtmlCell::Count(count) => count.map(|n| (n.to_string(), units::count(n))),
            HtmlCell::Bytes(bytes) => bytes.map(|n| (n.to_string(), units::bytes(n))),
            HtmlCell::Seconds(time) => time.map(|t| (t.to_string(), units::seconds(t))),
            HtmlCell::Times(factor) => Some((factor.to_string(), units::times(*factor))),
            HtmlCell::Percent(part) => Some((part.to_string(), format!("{:.0} %", part * 100.0))),
            _ => None,
        }
    }
}

/// A table with a caption; `name` is how it is found in the page.
pub(super) struct HtmlTable<'a> {
    pub(super) name: &'static str,
    pub(super) caption: &'a str,
    pub(super) columns: &'a [&'a str],
    pub(super) rows: Vec<Vec<HtmlCell>>,
}

impl HtmlTable<'_> {
    /// The table, in a region that scrolls where it is too wide.
    pub(super) fn html(self) -> Html {
        let mut html = Html::new();
        let region = [
            ("class", "scroll"),
            ("role", "region"),
            ("tabindex", "0"),
            ("aria-label", self.caption),
        ];
        html.open("div", &region).open("table", &[("data-table", self.name)]);
        html.leaf("caption", &[], self.caption).open("thead", &[]).open("tr", &[]);
        for (at, column) in self.columns.iter().enumerate() {
            let is_number =
                self.rows.first().and_then(|row| row.get(at)).is_some_and(HtmlCell::is_number);
            let class = if is_number { "n" } else { "t" };
            html.leaf("th", &[("scope", "col"), ("class", class)], column);
        }
        html.close("tr").close("thead").open("tbody", &[]).line();
        for row in self.rows {
            html.open("tr", &[]);
            for (at, cell) in row.into_iter().enumerate() {
                push_cell(&mut html, at == 0, &cell);
            }
            html.close("tr").line();
        }
        html.close("tbody").close("table").close("div").line();
        html
    }
}

/// A text of more characters may be broken into lines.
const LONG: usize = 36;

fn push_cell(html: &mut Html, is_head: bool, cell: &HtmlCell) {
    let name = if is_head { "th" } else { "td" };
    let scope: &[(&'static str, &str)] = if is_head { &[("scope", "row")] } else { &[] };
    match (cell.number(), cell) {
        (Some((value, shown)), _) => {
            let attributes = [scope, &[("class", "n"), ("data-value", &value)]].concat();
            html.leaf(name, &attributes, &shown);
        }
        (None, HtmlCell::Text(text)) => {
            let class: &[_] = if text.chars().count() > LONG { &[("class", "long")] } else { &[] };
            html.leaf(name, &[scope, class].concat(), text);
        }
        (None, HtmlCell::Code(line)) => {
            let class = &[("class", "long")];
            html.open(name, &[scope, class].concat()).leaf("code", &[], line).close(name);
        }
        (None, HtmlCell::Badge(word, text)) => {
            html.open(name, scope).leaf("span", &[("class", &format!("badge {word}"))], text);
            html.close(name);
        }
        (None, _) => {
            html.leaf(name, &[scope, &[("class", "n")]].concat(), "–");
        }
    }
}

/// What folds out: a summary, and what is behind it.
pub(super) fn details(summary: &str, inside: Html) -> Html {
    let mut html = Html::new();
    html.open("details", &[]).leaf("summary", &[], summary).push(inside).close("details").line();
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_is_text() {
        let mut html = Html::new();
        let hostile = "\"><script>alert('x')</script>&amp;\u{0}\u{1b}[31m\u{202e}\u{85}é\u{1f600}";
        html.leaf("p", &[("title", hostile)], hostile);
        let shown = "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\\u{0}\\u{1b}[31m\
                     \\u{202e}\\u{85}é\u{1f600}";
        assert_eq!(html.into_text(), format!("<p title=\"{shown}\">{shown}</p>"));
    }
}
