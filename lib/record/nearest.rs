//! The name that was meant: of those there are, the one that a mistyped word is nearest to.

/// Of words this long, one that begins with the other is near.
const BEGINNING_CHARS: usize = 3;

/// The one of `names` that `word` is nearest to, if it is near enough to be meant; of equally near
/// ones the first.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let low = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let Some(distance) = distance(&low, &name.to_lowercase()) else { continue };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// How many letters are to be typed anew, or two to be exchanged; `None` when it is too many.
fn distance(word: &str, name: &str) -> Option<usize> {
    let (one, other) = (word.chars().count(), name.chars().count());
    let begins =
        one.min(other) >= BEGINNING_CHARS && (name.starts_with(word) || word.starts_with(name));
    let distance = strsim::osa_distance(word, name);
    (begins || distance <= (one.max(other) + 1) / 3).then_some(distance)
}

/// The question whether one of `names` was meant, behind a blank; nothing when none is near.
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, names) {
        Some(name) => format!(" (did you mean {name}?)"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_nothing_else() {
        let found = |word| nearest(word, ["carrier", "dep_delay", "id", "v", "delim", "Sum"]);
        assert_eq!(found("carier"), Some("carrier"));
        assert_eq!(found("CARRIER"), Some("carrier"));
        assert_eq!(found("dep-delay"), Some("dep_delay"));
        assert_eq!(found("di"), Some("id"));
        assert_eq!(found("delimiter"), Some("delim"));
        assert_eq!(found("summ"), Some("Sum"));
        for word in ["", "k", "x", "origin", "de"] {
            assert_eq!(found(word), None, "{word}");
        }
        assert_eq!(did_you_mean("summ", ["sum", "sump"]), " (did you mean sum?)");
        assert_eq!(did_you_mean("q", ["sum"]), "");
    }
}
