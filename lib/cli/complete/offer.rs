//! What is offered, and how it is told to a shell: a line each, one character that says what follows it
//! (a space: the word is whole; a dot: it goes on), the word, a tab and a few words about it.

use super::typed::Word;

/// Asks the shell for files, as it completes them itself.
pub(super) const FILES: &str = "?\n";

/// The most that is offered.
const OFFERS_MAX: usize = 2000;

/// How much is said about an offer, in characters.
const ABOUT_MAX: usize = 72;

/// What means something to a shell, outside of quotes.
const SPECIAL: &str = "\\'\"`$&|;<>()[]{}*?!#~ \t";

/// A word that may stand where the cursor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) value: String,
    is_open: bool,
    about: String,
}

impl Offer {
    /// A word that is whole.
    pub(super) fn whole(value: String) -> Offer {
        Offer { value, is_open: false, about: String::new() }
    }

    /// A word that may go on, or has to.
    pub(super) fn open(value: String) -> Offer {
        Offer { is_open: true, ..Offer::whole(value) }
    }

    /// The same, with a word about it: the first line of `text`.
    pub(super) fn about(mut self, text: &str) -> Offer {
        let first = text.split('\n').next().unwrap_or_default().trim();
        self.about = match first.char_indices().nth(ABOUT_MAX) {
            Some((end, _)) => format!("{}...", &first[..end]),
            None => first.into(),
        };
        self
    }

    /// The same, behind what stands before it in its word.
    pub(super) fn behind(mut self, before: &str) -> Offer {
        self.value.insert_str(0, before);
        self
    }
}

/// Those of `offers` that go on as `word` begins, for a shell that breaks words at `breaks`, if it does.
pub(super) fn show(mut offers: Vec<Offer>, word: &Word, breaks: Option<&str>) -> Vec<u8> {
    offers.retain(|offer| {
        offer.value.starts_with(&word.text) && !offer.value.contains(char::is_control)
    });
    offers.sort_by(|a, b| a.value.cmp(&b.value));
    offers.dedup_by(|a, b| a.value == b.value);
    offers.truncate(OFFERS_MAX);
    let mut shown = String::new();
    for offer in offers {
        let value = match breaks {
            Some(breaks) => {
                word.tail(breaks).to_string() + &quoted(&offer.value[word.text.len()..], word)
            }
            None => offer.value,
        };
        // bash closes the quote that the word is in, behind all that is offered.
        let is_open = offer.is_open || breaks.is_some() && word.quote.is_some();
        shown.push(if is_open { '.' } else { ' ' });
        shown.push_str(&format!("{value}\t{}\n", offer.about));
    }
    shown.into_bytes()
}

/// `text` as it is typed behind `word`.
fn quoted(text: &str, word: &Word) -> String {
    let is_special = |c: char| match word.quote {
        Some('\'') => false,
        Some(_) => "\"\\$`".contains(c),
        None => SPECIAL.contains(c),
    };
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if is_special(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::complete::typed::TypedLine;

    fn shown(line: &str, values: &[&str], breaks: Option<&str>) -> String {
        let offers = values.iter().map(|value| Offer::whole((*value).into())).collect();
        String::from_utf8(show(offers, &TypedLine::parse(line).word, breaks)).unwrap()
    }

    #[test]
    fn what_goes_on_as_the_word_begins_is_shown_in_order() {
        assert_eq!(shown("x ab", &["abd", "b", "abc", "abd"], None), " abc\t\n abd\t\n");
        assert_eq!(Offer::open("x".into()).about("One\ntwo").about, "One");
    }

    #[test]
    fn bash_gets_what_it_replaces_and_as_it_is_typed() {
        let breaks = Some("\"'@><=;|&(: ");
        assert_eq!(shown("x csv:a", &["csv:a b"], breaks), " a\\ b\t\n");
        assert_eq!(shown("x csv\\:a", &["csv:a b"], breaks), " csv\\:a\\ b\t\n");
        assert_eq!(shown("x 'csv:a", &["csv:a b's"], breaks), ".csv:a b's\t\n");
        assert_eq!(shown("x \"a", &["a$b"], breaks), ".a\\$b\t\n");
        assert_eq!(shown("x --k=", &["--k=a"], breaks), " a\t\n");
    }
}
