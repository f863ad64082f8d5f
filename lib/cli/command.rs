//! A tool's clap command: its own options, those that all tools have, and how clap's words become
//! ours.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, Command, FromArgMatches, Parser};

use crate::cli::complete;
use crate::cli::explaining;
use crate::cli::options::Common;
use crate::error::{Error, Result};

/// The tools that take `-h`, for those that are told it and do not.
const WITH_HOSTS: &str = "mc-cat, mc-scatter, mc-map and mc-hosts";

/// What `-h` is told that has no HOSTS behind it.
const BARE: &str = "-h names hosts; --help is the way to help";

/// What the command line asks for.
pub enum Asked<A> {
    /// The tool's work.
    Work(A, Common),
    /// A text (help, version, completions), which is all there is to do.
    Text(Vec<u8>),
}

/// The whole command of `tool`, whose own options are `A`.
pub fn command<A: Parser>(tool: &'static str) -> Command {
    let help = Arg::new("help")
        .long("help")
        .help("Print this help")
        .action(ArgAction::Help)
        .display_order(902);
    let version = Arg::new("version")
        .long("version")
        .help("Print the version")
        .action(ArgAction::Version)
        .display_order(903);
    let command = A::command()
        .name(tool)
        .bin_name(tool)
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true);
    let about = command.get_about().cloned();
    let long_about = Resettable::from(command.get_long_about().cloned());
    // The group's own description would take the place of the tool's.
    let command = Common::augment_args(command).about(Resettable::from(about));
    let command = command.long_about(long_about).arg(help).arg(version);
    let command =
        if explaining::is_stage(tool) { command.arg(explaining::option()) } else { command };
    if has_hosts(&command) { command } else { command.arg(no_hosts(tool)) }
}

fn has_hosts(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_short() == Some('h'))
}

/// `-h` for a tool that takes none: refused with and without a value, before clap misses anything
/// else, as `-h` is mostly a call for help.
fn no_hosts(tool: &'static str) -> Arg {
    let refuse = move |word: &str| -> std::result::Result<String, String> {
        Err(if word.is_empty() {
            BARE.into()
        } else {
            format!(
                "{tool} takes no -h: {WITH_HOSTS} do, and the tools behind them need none; \
                 --help is the way to help"
            )
        })
    };
    Arg::new("hosts")
        .short('h')
        .long("hosts")
        .hide(true)
        .num_args(0..=1)
        .value_name("HOSTS")
        .default_missing_value("")
        .value_parser(refuse)
}

/// Reads the command line of `tool`.
///
/// # Errors
/// `Usage`, in one line.
pub fn parse<A: Parser>(
    tool: &'static str,
    words: impl IntoIterator<Item = std::ffi::OsString>,
) -> Result<Asked<A>> {
    let mut command = command::<A>(tool);
    let matches = match command.try_get_matches_from_mut(words) {
        Ok(matches) => matches,
        Err(error) => return text_or_error(tool, &error),
    };
    let mut common = Common::from_arg_matches(&matches).map_err(|e| usage(tool, &e))?;
    (common.explain, common.given) = explaining::told(&command, &matches);
    if let Some(shell) = common.completions {
        return Ok(Asked::Text(complete::script(shell, tool).into_bytes()));
    }
    if let [line, breaks @ ..] = common.complete.as_slice() {
        let breaks = breaks.first().map(String::as_str);
        return Ok(Asked::Text(complete::complete(&command, line, breaks)));
    }
    let own = A::from_arg_matches(&matches).map_err(|e| usage(tool, &e))?;
    Ok(Asked::Work(own, common))
}

fn text_or_error<A>(tool: &str, error: &clap::Error) -> Result<Asked<A>> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Ok(Asked::Text(error.render().to_string().into_bytes()))
        }
        _ => Err(usage(tool, error)),
    }
}

/// How clap begins its tip to take an unknown option for a value, which helps nobody: with it a
/// misspelt option would become a file, or a command.
const VALUE_TIP: &str = "to pass '";

/// Clap's error as one line: its first paragraph and its tips, without usage.
fn usage(tool: &str, error: &clap::Error) -> Error {
    if let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg)
        && arg.starts_with("--hosts")
    {
        match (error.kind(), std::error::Error::source(error)) {
            (ErrorKind::ValueValidation, Some(why)) => return Error::usage(why.to_string()),
            (ErrorKind::InvalidValue, _) => return Error::usage(BARE),
            _ => (),
        }
    }
    let text = error.render().to_string();
    let mut shown = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        let line = line.strip_prefix("error: ").unwrap_or(line);
        if let Some(tip) = line.strip_prefix("tip: ") {
            if tip.starts_with(VALUE_TIP) {
                continue;
            }
            shown.push_str("; ");
            shown.push_str(tip);
        } else if !line.is_empty() {
            if !shown.is_empty() {
                shown.push(' ');
            }
            shown.push_str(line);
        }
    }
    Error::usage(format!("{shown} (try {tool} --help)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options;
    use crate::error::ErrorKind;

    /// Sorts.
    #[derive(Parser, Debug)]
    struct Own {
        #[command(flatten)]
        memory: options::MemoryOptions,
        #[command(flatten)]
        keys: options::KeyOptions,
        #[command(flatten)]
        records: options::Records,
        #[arg(required = true)]
        resources: Vec<String>,
    }

    fn parse(words: &str) -> Result<Asked<Own>> {
        super::parse("mc-x", words.split_whitespace().map(Into::into))
    }

    fn error(words: &str) -> String {
        match parse(words) {
            Ok(_) => panic!("{words} is no error"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Usage);
                let text = error.to_string();
                assert!(!text.contains('\n'), "{text}");
                text
            }
        }
    }

    fn text(words: &str) -> String {
        match parse(words) {
            Ok(Asked::Text(text)) => String::from_utf8(text).unwrap(),
            Ok(Asked::Work(..)) => panic!("{words} is work"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_command_is_sound() {
        command::<Own>("mc-x").debug_assert();
    }

    #[test]
    fn options_become_values() {
        let Ok(Asked::Work(own, common)) = parse("mc-x -S 1M -j3 -T / -k a,b:nr -v file") else {
            panic!("no work");
        };
        assert_eq!((own.memory.bytes(), own.memory.jobs(), common.verbose), (1 << 20, 3, true));
        assert_eq!(own.memory.temporary_directory().unwrap(), std::path::Path::new("/"));
        assert_eq!((own.keys.key.as_deref(), own.resources), (Some("a,b:nr"), vec!["file".into()]));
        assert_eq!(own.records.max_record(), 64 << 20);
    }

    /// Maps.
    #[derive(Parser, Debug)]
    struct OnHosts {
        #[command(flatten)]
        hosts: crate::cli::hosts::host_options::HostOptions,
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    }

    #[test]
    fn h_is_kept_for_hosts() {
        for words in ["mc-x -h hosts", "mc-x -h hosts file", "mc-x -hhosts", "mc-x --hosts=a"] {
            assert!(error(words).starts_with("mc-x takes no -h: mc-cat, "), "{words}");
        }
        assert_eq!(error("mc-x -h"), BARE);
    }

    #[test]
    fn a_tool_on_hosts_takes_them() {
        command::<OnHosts>("mc-y").debug_assert();
        let parse = |words: &str| super::parse::<OnHosts>("mc-y", words.split(' ').map(Into::into));
        let Ok(Asked::Work(own, _)) = parse("mc-y -h a,b ./f -h") else { panic!("no work") };
        assert_eq!(own.command, ["./f", "-h"]);
        assert_eq!(own.hosts.hosts().unwrap().unwrap().len(), 2);
        let Err(error) = parse("mc-y -h") else { panic!("no error") };
        assert_eq!(error.to_string(), BARE);
    }

    #[test]
    fn errors_are_one_line() {
        assert_eq!(
            error("mc-x --memry 1M f"),
            "unexpected argument '--memry' found; a similar argument exists: '--memory' \
             (try mc-x --help)"
        );
        assert_eq!(
            error("mc-x --bogus f"),
            "unexpected argument '--bogus' found (try mc-x --help)"
        );
        assert_eq!(
            error("mc-x"),
            "the following required arguments were not provided: <RESOURCES>... (try mc-x --help)"
        );
        assert!(
            error("mc-x -S 0 f").starts_with("invalid value '0' for '--memory <SIZE>': it cannot")
        );
        assert!(error("mc-x --bad maybe f").contains("say fail, skip"));
    }

    #[test]
    fn texts_need_no_arguments() {
        let help = text("mc-x --help");
        assert!(help.starts_with("Sorts\n") && help.contains("--memory <SIZE>"), "{help}");
        assert!(!help.contains(" -h"));
        assert_eq!(text("mc-x --version"), format!("mc-x {}\n", env!("CARGO_PKG_VERSION")));
        assert!(text("mc-x --completions bash").contains("complete -F _mycloud_complete mc-x"));
    }
}
