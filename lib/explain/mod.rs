//! What a pipeline would do, told before it does anything (`--explain`): the plan as a document, with
//! a part for each stage; what could be done better; and the plan as text.
//!
//! A plan goes down a pipe as one line that begins with [`PREFIX`], as no JSON does: each tool adds its
//! stage, and the last one shows the whole. What the fields mean stands in `mycloud(7)`, under PLANS.
//! Nothing here reads a file, a pipe or the environment.

pub mod advice;
pub mod convert;
pub mod estimate;
pub mod outline;
pub mod schema;
mod tell;
pub mod text;
mod wrap;

use crate::error::{Error, Result};
use crate::explain::schema::{PlanDocument, VERSION};

/// What a plan on a pipe begins with.
pub const PREFIX: &str = "#mc-plan1 ";

/// The longest plan in bytes.
pub const PLAN_MAX: usize = 64 << 20;

impl PlanDocument {
    /// The plan as a line for the next tool, with its end.
    ///
    /// # Errors
    /// `Incomplete` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<String> {
        Ok(format!("{PREFIX}{}\n", self.json()?))
    }

    /// The plan as JSON, on one line.
    ///
    /// # Errors
    /// `Incomplete` when it cannot be written as JSON.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::incomplete(format!("the plan: {e}")))
    }

    /// Reads a line that [`PlanDocument::encode`] wrote.
    ///
    /// # Errors
    /// `BadInput` for what is no such line.
    pub fn decode(line: &str) -> Result<PlanDocument> {
        let bad = |why: String| Error::input(format!("the plan of the tools before: {why}"));
        let json = line.strip_prefix(PREFIX).ok_or_else(|| bad("it is none".into()))?;
        let plan: PlanDocument = serde_json::from_str(json).map_err(|e| bad(e.to_string()))?;
        match plan.version {
            VERSION => Ok(plan),
            other => Err(bad(format!("it is of version {other}, and this tool knows {VERSION}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::schema::{PlanWord, StagePlan};
    use super::*;

    #[test]
    fn a_plan_is_one_line_and_comes_back_as_it_was() {
        let word = PlanWord::of(std::os::unix::ffi::OsStrExt::from_bytes(b"a\xff\nb"));
        let stage = StagePlan { tool: "mc-x".into(), argv: vec![word], ..StagePlan::default() };
        let plan = PlanDocument { stages: vec![stage], ..PlanDocument::default() };
        let line = plan.encode().unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains(r#"{"$base64":"Yf8KYg=="}"#), "{line}");
        assert_eq!(PlanDocument::decode(line.trim_end()).unwrap(), plan);
    }

    #[test]
    fn what_is_no_plan_of_this_version_is_refused() {
        for (line, why) in [
            ("", "it is none"),
            ("{}", "it is none"),
            ("#mc-plan1 {", "EOF"),
            (r#"#mc-plan1 {"version":2,"stages":[]}"#, "version 2"),
        ] {
            let error = PlanDocument::decode(line).unwrap_err();
            assert!(error.exit_code() == 3 && error.to_string().contains(why), "{error}");
        }
    }
}
