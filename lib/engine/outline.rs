//! A command and how it is run, as a plan of the whole pipeline tells it.

use crate::command::Given;
use crate::engine::plan::CommandPlan;
use crate::engine::schedule::Halt;
use crate::explain::convert::policy;
use crate::explain::outline::CommandOutline;
use crate::explain::schema::PlanWord;
use crate::record::notation::Notation;

impl CommandPlan {
    /// The command that was `given`, run as this says: for each block, or for each record where each is
    /// a run of its own. Values of variables are not told, only their names.
    pub fn outline(&self, given: &Given) -> CommandOutline {
        let (kind, words, line) = match given {
            Given::Words(words) => {
                ("words", words.iter().map(|word| PlanWord::of(word)).collect(), None)
            }
            Given::Line(line) => ("line", Vec::new(), Some(PlanWord::of(line))),
        };
        let each = self.form.each.as_deref();
        CommandOutline {
            kind: kind.into(),
            words,
            line,
            per: if each.is_some() { "record" } else { "block" }.into(),
            input: notation(self.form.input).into(),
            output: notation(self.form.output).into(),
            rename: each.and_then(|each| each.rename.clone()),
            outcome: each.is_some_and(|each| each.outcome),
            env: self.command.environment().map(|(name, _)| PlanWord::of(name)).collect(),
            ok_exit: self.ok_exit.clone(),
            retries: self.retries,
            timeout: self.timeout.map(|timeout| timeout.as_secs_f64()),
            speculate: self.speculates,
            halt: match self.halt {
                Halt::Behind => "behind",
                Halt::Soon => "soon",
                Halt::Now => "now",
            }
            .into(),
            failed: policy(self.failed.policy()),
            ..CommandOutline::default()
        }
    }
}

/// The form of records as options call it.
fn notation(notation: Notation) -> &'static str {
    match notation {
        Notation::Json => "json",
        Notation::Text => "text",
        Notation::Kv => "kv",
        Notation::Raw => "raw",
    }
}
