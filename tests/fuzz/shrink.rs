//! Making an input that fails as short and as plain as it goes, and writing it down.

/// How many inputs are tried, at most.
const TRIES: usize = 2000;

/// A part of `input` that still fails, and of which nothing can be left out.
pub(super) fn shrunk(input: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut input, mut tries) = (input.to_vec(), 0);
    let mut still = |input: &[u8]| {
        tries += 1;
        tries <= TRIES && fails(input)
    };
    let mut size = input.len();
    while size > 0 {
        let mut at = 0;
        while at < input.len() {
            let end = (at + size).min(input.len());
            let without = [&input[..at], &input[end..]].concat();
            if still(&without) {
                input = without;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    for at in 0..input.len() {
        for plain in [b'a', b'0'] {
            let before = std::mem::replace(&mut input[at], plain);
            if before == plain || still(&input) {
                break;
            }
            input[at] = before;
        }
    }
    input
}

/// The input as a word of a line of text: printable, without white space.
pub(super) fn written(input: &[u8]) -> String {
    input.escape_ascii().to_string().replace(' ', "\\x20")
}

/// The input that [`written`] gave this word for.
pub(super) fn read(word: &str) -> Option<Vec<u8>> {
    let (mut input, mut bytes) = (Vec::new(), word.bytes());
    while let Some(byte) = bytes.next() {
        input.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                other => other,
            },
            byte => byte,
        });
    }
    Some(input)
}

#[test]
fn what_fails_becomes_short_and_comes_back_from_its_word() {
    let input: Vec<u8> = (0..=255).collect();
    assert_eq!(read(&written(&input)).unwrap(), input);
    assert!(written(&input).bytes().all(|byte| byte.is_ascii_graphic()));
    let fails = |input: &[u8]| input.contains(&b' ') && input.contains(&200) && input.len() > 2;
    assert_eq!(shrunk(&input, fails).len(), 3);
}
