//! The scripts by which shells ask for completions: small, and all alike.

/// A shell that completions are for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// What stands for the name of the tool.
const TOOL: &str = "@TOOL@";

/// The completions of `tool` for a shell.
pub(in crate::cli) fn script(shell: Shell, tool: &str) -> String {
    let script = match shell {
        Shell::Bash => include_str!("complete.bash"),
        Shell::Zsh => include_str!("complete.zsh"),
        Shell::Fish => include_str!("complete.fish"),
    };
    script.replace(TOOL, tool)
}
