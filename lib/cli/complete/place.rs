//! Where in a tool's command line the cursor is: at an option, at the value of one, at an argument.

use clap::{Arg, Command};

/// What stands at the cursor.
pub(super) enum Place<'a> {
    /// The name of an option.
    Option,
    /// A value of this argument, behind what stands before it in its word.
    Value { arg: &'a Arg, before: &'a str },
    /// A word of the command that the tool runs, which is so many words behind the tool's name.
    Command(usize),
    /// What is nothing that the tool knows.
    Nothing,
}

impl<'a> Place<'a> {
    /// Where the word `typed` stands, behind the whole words `before` of the tool.
    pub(super) fn find(command: &'a Command, before: &[String], typed: &'a str) -> Place<'a> {
        let mut walk = Walk { command, open: None, given: 0, only_arguments: false };
        for (at, word) in before.iter().enumerate() {
            if walk.takes(word) {
                return Place::Command(at);
            }
        }
        if let Some((arg, _)) = walk.open.filter(|(_, more)| !*more || !typed.starts_with('-')) {
            return Place::Value { arg, before: "" };
        }
        if !walk.only_arguments && typed.starts_with('-') && typed.len() > 1 || typed == "-" {
            return walk.at_option(typed);
        }
        match walk.positional() {
            Some(arg) if runs(arg) => Place::Command(before.len()),
            Some(arg) => Place::Value { arg, before: "" },
            None => Place::Nothing,
        }
    }
}

/// Whether `arg` is the command that the tool runs.
fn runs(arg: &Arg) -> bool {
    arg.is_trailing_var_arg_set() || arg.is_last_set()
}

/// The words of a command line, one after the other.
struct Walk<'a> {
    command: &'a Command,
    /// The option whose value comes next, and whether it takes as many as there are.
    open: Option<(&'a Arg, bool)>,
    /// How many arguments came.
    given: usize,
    /// Whether `--` came.
    only_arguments: bool,
}

impl<'a> Walk<'a> {
    /// Goes over a word that is whole: whether it is the command that the tool runs.
    fn takes(&mut self, word: &str) -> bool {
        if let Some((_, more)) = self.open {
            if !more {
                self.open = None;
                return false;
            }
            if !word.starts_with('-') {
                return false;
            }
            self.open = None;
        }
        if self.only_arguments || !word.starts_with('-') || word == "-" {
            self.given += 1;
            return self.argument(self.given - 1).is_some_and(runs);
        }
        if word == "--" {
            self.only_arguments = true;
        } else if let Some(long) = word.strip_prefix("--") {
            if !long.contains('=') {
                // The value of some stands behind a = or nowhere.
                let arg = self.long(long).filter(|arg| !arg.is_require_equals_set());
                self.open = arg.and_then(opened);
            }
        } else if let Some((arg, behind)) = self.of_cluster(word)
            && behind.is_empty()
        {
            self.open = opened(arg);
        }
        false
    }

    /// The place of a word that begins with `-`.
    fn at_option(&self, typed: &'a str) -> Place<'a> {
        if let Some(long) = typed.strip_prefix("--") {
            let Some((name, value)) = long.split_once('=') else { return Place::Option };
            let before = &typed[..typed.len() - value.len()];
            return match self.long(name) {
                Some(arg) => Place::Value { arg, before },
                None => Place::Nothing,
            };
        }
        match self.of_cluster(typed) {
            Some((arg, value)) => Place::Value { arg, before: &typed[..typed.len() - value.len()] },
            None => Place::Option,
        }
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.command.get_arguments().find(|arg| arg.get_long() == Some(name))
    }

    /// The first of options in one word, such as `-vk`, that takes a value, and what stands behind it.
    fn of_cluster<'w>(&self, word: &'w str) -> Option<(&'a Arg, &'w str)> {
        for (at, c) in word.char_indices().skip(1) {
            let arg = self.command.get_arguments().find(|arg| arg.get_short() == Some(c))?;
            if opened(arg).is_some() {
                return Some((arg, &word[at + c.len_utf8()..]));
            }
        }
        None
    }

    /// The argument that comes next.
    fn positional(&self) -> Option<&'a Arg> {
        self.argument(self.given)
    }

    fn argument(&self, at: usize) -> Option<&'a Arg> {
        let args: Vec<&Arg> = self.command.get_positionals().collect();
        if self.only_arguments
            && let Some(last) = args.iter().find(|arg| arg.is_last_set())
        {
            return Some(last);
        }
        let args: Vec<&Arg> = args.into_iter().filter(|arg| !arg.is_last_set()).collect();
        let last = args.last().filter(|arg| {
            let most = arg.get_num_args().map_or(1, |range| range.max_values());
            most > 1 || matches!(arg.get_action(), clap::ArgAction::Append)
        });
        args.get(at).or(last).copied()
    }
}

/// An option that takes values, and whether it takes as many as there are.
fn opened(arg: &Arg) -> Option<(&Arg, bool)> {
    let takes = arg.get_action().takes_values();
    takes.then(|| (arg, arg.get_num_args().is_some_and(|range| range.max_values() > 1)))
}
