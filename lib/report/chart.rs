//! A drawing as wide as its place: what is across is in percent of that, so that texts keep their size on a phone.

use crate::report::html::Html;

/// A drawing.
pub(super) struct Chart {
    html: Html,
}

/// Where a text stands to its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Chart {
    /// One so high, which `id` tells from all others of the page. `title` is its name, and `about` says what is to
    /// be seen, for those who do not see it.
    pub(super) fn new(id: &str, height: f64, title: &str, about: &str) -> Chart {
        let mut chart = Chart { html: Html::new() };
        chart.begin(id, ("100%", &height.to_string(), None), title, about);
        chart
    }

    /// One of a fixed size.
    pub(super) fn fixed(id: &str, (width, height): (f64, f64), title: &str, about: &str) -> Chart {
        let mut chart = Chart { html: Html::new() };
        let view = format!("0 0 {width} {height}");
        let size = (width.to_string(), height.to_string());
        chart.begin(id, (&size.0, &size.1, Some(&view)), title, about);
        chart
    }

    fn begin(
        &mut self,
        id: &str,
        (width, height, view): (&str, &str, Option<&str>),
        title: &str,
        about: &str,
    ) {
        let (title_id, about_id) = (format!("{id}-t"), format!("{id}-d"));
        let names = format!("{title_id} {about_id}");
        let mut attributes = vec![
            ("width", width),
            ("height", height),
            ("role", "img"),
            ("aria-labelledby", &names),
        ];
        attributes.extend(view.map(|view| ("viewBox", view)));
        self.html.open("svg", &attributes);
        self.html.leaf("title", &[("id", &title_id)], title);
        self.html.leaf("desc", &[("id", &about_id)], about).line();
    }

    /// A bar of this class, from `x` on so wide, both in percent; `said` is shown to who points at it.
    pub(super) fn bar(
        &mut self,
        (x, width): (f64, f64),
        (y, height): (f64, f64),
        class: &str,
        said: &str,
    ) {
        let (x, width) = (percent(x), percent(width.max(0.0)));
        let (y, height) = (y.to_string(), height.to_string());
        let attributes =
            [("x", &*x), ("y", &y), ("width", &width), ("height", &height), ("class", class)];
        self.html.open("rect", &attributes);
        if !said.is_empty() {
            self.html.leaf("title", &[], said);
        }
        self.html.close("rect").line();
    }

    /// A line straight down, at `x` in percent.
    pub(super) fn rule(&mut self, x: f64, (from, to): (f64, f64)) {
        let (x, from, to) = (percent(x), from.to_string(), to.to_string());
        let attributes = [("x1", &*x), ("x2", &x), ("y1", &from), ("y2", &to), ("class", "rule")];
        self.html.open("line", &attributes).close("line");
    }

    /// A text, at `x` in percent.
    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        self.write(&percent(x), y, anchor, class, text);
    }

    /// A text in a drawing of a fixed size.
    pub(super) fn label(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        self.write(&x.to_string(), y, anchor, class, text);
    }

    fn write(&mut self, x: &str, y: f64, anchor: Anchor, class: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let y = y.to_string();
        let attributes = [("x", x), ("y", &y), ("text-anchor", anchor), ("class", class)];
        self.html.leaf("text", &attributes, text).line();
    }

    /// A box with round corners in a drawing of a fixed size.
    pub(super) fn card(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        let numbers = [x, y, width, height].map(|number| number.to_string());
        let [x, y, width, height] = &numbers;
        let attributes = [
            ("x", x.as_str()),
            ("y", y),
            ("width", width),
            ("height", height),
            ("rx", "8"),
            ("class", class),
        ];
        self.html.open("rect", &attributes).close("rect").line();
    }

    /// A path in a drawing of a fixed size.
    pub(super) fn path(&mut self, way: &str, class: &str) {
        self.html.open("path", &[("d", way), ("class", class)]).close("path").line();
    }

    /// The drawing.
    pub(super) fn html(mut self) -> Html {
        self.html.close("svg").line();
        self.html
    }
}

fn percent(value: f64) -> String {
    let text = format!("{value:.3}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
