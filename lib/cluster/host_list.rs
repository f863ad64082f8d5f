//! Lists of hosts, as users write them: `8/user@host:port,node[01-16],[::1]:2222,:`.
//!
//! Whatever could be an option, a path or something for a shell is refused here, before anything is
//! started. Nothing is looked up or read.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::cluster::Host;
use crate::cluster::host::{NAME_MAX, OrReason, number};
use crate::error::{Error, Result};

/// The most hosts in a list.
pub const HOSTS_MAX: usize = 4096;

/// The longest host that a word stands for, in bytes: slots, user, name and port.
const WORD_MAX: usize = 2 * NAME_MAX + 64;

/// How much of a word a message shows, in characters.
const SHOWN: usize = 80;

/// The hosts of a list: words with commas between them.
///
/// # Errors
/// `Usage`, naming the word.
pub fn parse(list: &str) -> Result<Vec<Host>> {
    let mut hosts = Hosts::default();
    for word in split(list, |c| c == ',') {
        hosts.add(word.trim(), "")?;
    }
    hosts.some()
}

/// The hosts of a file called `name`: lists, one or more in a line, and comments from `#` on.
///
/// # Errors
/// `Usage`, naming line and word.
pub fn parse_file(text: &str, name: impl fmt::Display) -> Result<Vec<Host>> {
    let mut hosts = Hosts::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let place = format!("{name}: line {}: ", number + 1);
        let words = split(line, |c| c == ',' || c.is_whitespace());
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            hosts.add(word, &place)?;
        }
    }
    hosts.some().map_err(|error| error.at(name))
}

/// Splits `text` where `parts` says so, outside of brackets.
fn split(text: &str, parts: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut words, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            c if depth == 0 && parts(c) => {
                words.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => (),
        }
    }
    words.push(&text[start..]);
    words
}

/// Hosts that are collected.
#[derive(Default)]
struct Hosts {
    found: Vec<Host>,
    /// How each was written: the place, and the word.
    words: HashMap<String, Rc<str>>,
}

impl Hosts {
    /// Adds what `word`, which stands at `place`, stands for.
    fn add(&mut self, word: &str, place: &str) -> Result<()> {
        let wrong = |why: &str| {
            let shown: String = word.chars().take(SHOWN).collect();
            Error::usage(format!("{place}{shown:?} is no host: {why}"))
        };
        let room = HOSTS_MAX - self.found.len();
        let written: Rc<str> = format!("{place}{word:?}").into();
        for name in expand(word, room).map_err(|why| wrong(&why))? {
            let host = Host::of_word(&name).map_err(|why| wrong(&why))?;
            if !host.is_local()
                && let Some(first) = self.words.insert(host.to_string(), Rc::clone(&written))
            {
                return Err(Error::usage(format!(
                    "{place}{word:?} names {host} again, after {first}: name a host once, with its \
                     slots in front ({}/{host})",
                    host.slots.unwrap_or(8)
                )));
            }
            self.found.push(host);
        }
        Ok(())
    }

    fn some(self) -> Result<Vec<Host>> {
        if self.found.is_empty() { Err(Error::usage("it names no host")) } else { Ok(self.found) }
    }
}

/// The words that `word` stands for: numbers and ranges of numbers in brackets, in order.
fn expand(word: &str, room: usize) -> OrReason<Vec<String>> {
    let mut words = vec![String::new()];
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('[') {
        let (inside, after) = behind.split_once(']').ok_or("a '[' without its ']'")?;
        let choices =
            if inside.contains(':') { vec![format!("[{inside}]")] } else { numbers(inside, room)? };
        if choices.len().saturating_mul(words.len()) > room {
            return Err(too_many());
        }
        // None of them would be a host, and all of them might take much memory.
        if words.iter().any(|word| word.len() + before.len() > WORD_MAX) {
            return Err(too_long());
        }
        let with = |word: &String| {
            let word = format!("{word}{before}");
            choices.iter().map(move |choice| format!("{word}{choice}")).collect::<Vec<_>>()
        };
        words = words.iter().flat_map(with).collect();
        rest = after;
    }
    if words.len() > room {
        return Err(too_many());
    }
    if rest.len() > WORD_MAX {
        return Err(too_long());
    }
    words.iter_mut().for_each(|word| word.push_str(rest));
    Ok(words)
}

fn too_long() -> String {
    format!("it is longer than {WORD_MAX} bytes")
}

fn too_many() -> String {
    format!("a list holds at most {HOSTS_MAX} hosts")
}

/// The numbers that stand in brackets: `1-3,07`; leading zeros stay.
fn numbers(inside: &str, room: usize) -> OrReason<Vec<String>> {
    let mut found = Vec::new();
    for part in inside.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(from), Some(to)) = (number(first), number(last)) else {
            return Err("in brackets stand numbers and ranges of them, such as [01-16,20]".into());
        };
        if from > to {
            return Err(format!("the range {part} runs backwards"));
        }
        if found.len() + (to - from) as usize >= room {
            return Err(too_many());
        }
        let width = first.len();
        found.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    fn words(list: &str) -> Vec<String> {
        let word = |host: &Host| match host.slots {
            Some(slots) => format!("{slots}/{host}"),
            None => host.to_string(),
        };
        parse(list).unwrap().iter().map(word).collect()
    }

    fn wrong(list: &str) -> String {
        let error = parse(list).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.to_string();
        assert!(!text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn every_part_of_a_word_is_understood() {
        let hosts = parse("8/bob@n1:2222, ::1 ,[fe80::1%eth0]:22,:,2/:,a@b@c.example").unwrap();
        let host = |slots, user: Option<&str>, name: &str, port| Host {
            slots,
            user: user.map(Into::into),
            name: name.into(),
            port,
        };
        assert_eq!(
            hosts,
            [
                host(Some(8), Some("bob"), "n1", Some(2222)),
                host(None, None, "::1", None),
                host(None, None, "fe80::1%eth0", Some(22)),
                Host::local(),
                host(Some(2), None, "", None),
                host(None, Some("a@b"), "c.example", None),
            ]
        );
    }

    #[test]
    fn ranges_and_lists_of_numbers_become_hosts() {
        assert_eq!(words("n[8-10]"), ["n8", "n9", "n10"]);
        assert_eq!(
            words("4/n[08-10,7].lan:22"),
            ["4/n08.lan:22", "4/n09.lan:22", "4/n10.lan:22", "4/n7.lan:22"]
        );
        assert_eq!(words("r[1-2]n[1,3],x"), ["r1n1", "r1n3", "r2n1", "r2n3", "x"]);
        assert_eq!(words("[1-2]"), ["1", "2"]);
        assert_eq!(words("u@[::1]:2,:,:"), ["u@[::1]:2", ":", ":"]);
    }

    #[test]
    fn what_could_be_an_option_or_shell_is_refused() {
        for word in [
            "-oProxyCommand=x",
            "a@-b",
            "-a@b",
            "a;b",
            "$(x)",
            "`x`",
            "a b",
            "a\nb",
            "a|b",
            "a'b",
            "~a",
            "a\\b",
            "*",
            "é",
            "a%h",
            "%h",
            ".a",
            "a=b",
            "a/b",
            "8/-b",
            "n[1-2];x",
            "a\u{0}",
            "x[::1%;a]",
            "[::1%$a]",
            "[::1%-a]",
        ] {
            assert!(wrong(word).contains("is no host: "), "{word}");
        }
        assert_eq!(wrong("n1,-oX=y"), "\"-oX=y\" is no host: its name begins with '-'");
        assert_eq!(wrong("a;b"), "\"a;b\" is no host: its name holds ';'");
    }

    #[test]
    fn words_that_lack_something_are_refused() {
        for word in [
            "",
            ",",
            "a,,b",
            "a,",
            "8/",
            "/a",
            "0/a",
            "1025/a",
            "+1/a",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "@a",
            "a@",
            "a@:",
            "[::1",
            "[::1]2",
            "[::g]",
            "1:2:3",
            "n[",
            "n[]",
            "n[1",
            "n]",
            "n[2-1]",
            "n[a]",
            "n[1-]",
            "n[-1]",
            "n[1-2-3]",
            "n[0-9999]",
            "n[1-99][1-99]",
            "n[1234567890]",
        ] {
            wrong(word);
        }
        assert!(wrong(&"a".repeat(300)).len() < 200);
        for long in [format!("{}[1-9]", "a".repeat(1000)), format!("[1-9]{}", "a".repeat(1000))] {
            assert!(wrong(&long).ends_with("is no host: it is longer than 574 bytes"));
        }
        let many = vec![":"; HOSTS_MAX + 1].join(",");
        assert!(wrong(&many).contains("at most 4096"));
        assert_eq!(parse(&many[2..]).unwrap().len(), HOSTS_MAX);
    }

    #[test]
    fn a_host_stands_once_and_this_machine_as_often_as_one_likes() {
        assert_eq!(
            wrong("n[1-3],2/n2"),
            "\"2/n2\" names n2 again, after \"n[1-3]\": name a host once, with its slots in front (2/n2)"
        );
        assert_eq!(words("n1,bob@n1,n1:22,:,:").len(), 5);
    }

    #[test]
    fn files_have_lines_and_comments() {
        let text = "\u{feff}# all of them\nn1 n2,n3\t# three\r\n\n  8/n[4-5]:22\n";
        let hosts = parse_file(text, "hosts").unwrap();
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["n1", "n2", "n3", "n4:22", "n5:22"]);
        let error = |text: &str| parse_file(text, "hosts").unwrap_err().to_string();
        assert!(error("a\n-b\n").starts_with("hosts: line 2: \"-b\" is no host: "));
        assert!(error("a\nb a\n").contains("\"a\" names a again, after hosts: line 1: \"a\":"));
        assert_eq!(error("# none\n"), "hosts: it names no host");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(list in "[-a1:@/\\[\\],%.é ]{0,30}|\\PC{0,30}") {
            let _ = parse(&list);
            let _ = parse_file(&list, "x");
        }

        #[test]
        fn hosts_come_back(list in "[a-c0-2:@/\\[\\],]{1,20}") {
            for host in parse(&list).unwrap_or_default() {
                let again = parse(&host.to_string()).unwrap();
                prop_assert_eq!(again, [Host { slots: None, ..host }]);
            }
        }

        #[test]
        fn whatever_passes_is_made_of_safe_characters(list in "\\PC{0,20}") {
            for host in parse(&list).unwrap_or_default() {
                let word = host.to_string();
                prop_assert!(word.chars().all(|c| c.is_ascii_alphanumeric() || "._:%@[]-".contains(c)));
                prop_assert!(!word.starts_with('-') && !host.name.starts_with('-'));
            }
        }
    }
}
