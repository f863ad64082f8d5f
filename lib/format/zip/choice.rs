//! Which members of an archive are read.
//!
//! With `members=` those whose names match one of its patterns. Without, a format over an archive
//! reads the members whose names tell that format, and the one that is called as the archive is; a
//! member of any other name is refused before anything is read, for it may be a README or what
//! else people pack. Directories, and what a Mac adds for itself, hold no records: a format over an
//! archive passes them over.

use super::ZipOptions;

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is read.
    Read,
    /// It holds nothing that was asked for.
    PassOver,
    /// Nobody knows whether it should be read.
    Refuse,
}

/// Says whether the name of a member tells that it holds a format.
pub type Tells = Box<dyn Fn(&str) -> bool + Send>;

/// Chooses members.
pub(super) struct Chooser {
    options: ZipOptions,
    /// The format over the archive: how its members are called, and the archive itself.
    over: Option<(Tells, String)>,
}

impl Chooser {
    /// For the members themselves.
    pub(super) fn of_all(options: ZipOptions) -> Chooser {
        Chooser { options, over: None }
    }

    /// For a format over the archive that is called `own` without its ending, whose members
    /// `tells` knows by their names.
    pub(super) fn of_format(options: ZipOptions, tells: Tells, own: String) -> Chooser {
        Chooser { options, over: Some((tells, own)) }
    }

    /// Whether every member is read.
    pub(super) fn takes_all(&self) -> bool {
        self.over.is_none() && self.options.members.is_empty()
    }

    /// What becomes of the member of this name.
    pub(super) fn choose(&self, name: &str) -> Choice {
        let members = &self.options.members;
        let asked_for = members.iter().any(|pattern| pattern.fits(name));
        match &self.over {
            Some(_) if holds_none(name) => Choice::PassOver,
            _ if asked_for => Choice::Read,
            _ if !members.is_empty() => Choice::PassOver,
            None => Choice::Read,
            Some((tells, own)) if tells(name) || name == own => Choice::Read,
            Some(_) => Choice::Refuse,
        }
    }
}

/// Whether a member is a directory, or holds what a Mac knows of another file.
fn holds_none(name: &str) -> bool {
    let (directory, last) = name.rsplit_once('/').unwrap_or(("", name));
    last.is_empty()
        || last.starts_with("._")
        || last == ".DS_Store"
        || directory.split('/').any(|part| part == "__MACOSX")
}

#[cfg(test)]
mod tests {
    use super::super::super::spec::Spec;
    use super::*;

    fn options(text: &str) -> ZipOptions {
        ZipOptions::parse(&Spec::parse(text).unwrap()).unwrap()
    }

    fn over(text: &str) -> impl Fn(&str) -> Choice {
        let tells: Tells = Box::new(|name: &str| name.ends_with(".x"));
        let chooser = Chooser::of_format(options(text), tells, "own".into());
        move |name| chooser.choose(name)
    }

    #[test]
    fn a_format_reads_what_its_name_tells_and_nothing_by_chance() {
        let choose = over("zip");
        for name in ["a.x", "d/a.x", ".a.x", "own"] {
            assert_eq!(choose(name), Choice::Read, "{name}");
        }
        for name in ["d/", "__MACOSX/a.x", "e/__MACOSX/a", "d/._a.x", ".DS_Store", "d/.DS_Store"] {
            assert_eq!(choose(name), Choice::PassOver, "{name}");
        }
        for name in ["README", "a.y", "d/own", "__MACOSX", ""] {
            let want = if name.is_empty() { Choice::PassOver } else { Choice::Refuse };
            assert_eq!(choose(name), want, "{name}");
        }
    }

    #[test]
    fn patterns_say_which() {
        let choose = over("zip,members=*.y,members=z/*");
        assert_eq!([choose("d/a.y"), choose("z/q")], [Choice::Read; 2]);
        assert_eq!([choose("a.x"), choose("own"), choose("._a.y")], [Choice::PassOver; 3]);
        let all = Chooser::of_all(options("zip"));
        assert!(all.takes_all() && all.choose("d/._a") == Choice::Read);
        let some = Chooser::of_all(options("zip,members=d"));
        assert!(!some.takes_all() && some.choose("e/d/") == Choice::Read);
        assert_eq!(some.choose("e"), Choice::PassOver);
        assert!(ZipOptions::parse(&Spec::parse("zip,members=[").unwrap()).is_err());
    }
}
