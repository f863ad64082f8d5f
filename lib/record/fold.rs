//! Text without its case: Unicode's full case folding, in which `ẞ`, `ß` and `SS` are one.
//!
//! Lower case is not enough: that of `ẞ` is not that of `SS`, and that of `Σ` depends on what
//! follows. Nothing is normalised: a composed `é` and a decomposed one stay two.

use std::borrow::Cow;

use unicase::UniCase;

/// `text` (UTF-8, or WTF-8, whose lone surrogates stay) without its case.
pub(super) fn folded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return match text.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(UniCase::unicode(chunk.valid()).to_folded_case().as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_gone_whatever_the_script() {
        let same = [
            ("Bob", "bOB"),
            ("STRASSE", "straße"),
            ("ẞ", "ss"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ÇA", "ça"),
            ("Ԁ", "ԁ"),
            ("ﬃ", "FFI"),
            ("ꭰ", "Ꭰ"),
        ];
        for (a, b) in same {
            assert_eq!(folded(a.as_bytes()), folded(b.as_bytes()), "{a} {b}");
        }
        assert_ne!(folded("é".as_bytes()), folded("e\u{301}".as_bytes()));
        assert_eq!(folded(b"A\xed\xa0\xbdA\xc3\x89").as_ref(), b"a\xed\xa0\xbda\xc3\xa9");
    }
}
