//! A plan as text: a paragraph for each stage.

use crate::explain::schema::PlanDocument;
use crate::explain::tell;
use crate::explain::wrap::wrap;

/// How many columns a plan has where nothing says.
pub const COLUMNS: usize = 80;

/// Fewer columns are not worth to be kept to.
const COLUMNS_MIN: usize = 50;

/// How wide the names of tools are.
const TOOL_COLUMNS: usize = 10;

/// How much further in a line goes on.
const HANG: usize = 2;

/// The plan in lines of at most `columns`, where words allow it.
pub fn text(plan: &PlanDocument, columns: usize) -> String {
    let columns = columns.max(COLUMNS_MIN);
    let digits = plan.stages.len().to_string().len();
    let indent = digits + 2 + TOOL_COLUMNS + 2;
    let mut out = String::new();
    for (number, stage) in (1..).zip(&plan.stages) {
        let name = &stage.tool;
        out.push_str(&format!("{number:>digits$}  {name:<TOOL_COLUMNS$}  "));
        let lines = tell::stage(stage, number > 1);
        if name.chars().count() > TOOL_COLUMNS && !lines.is_empty() {
            out.push_str(&format!("\n{:indent$}", ""));
        }
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                out.push_str(&format!("{:indent$}", ""));
            }
            wrap(line, (indent, HANG), columns, &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::schema::{PlanDocument, StagePlan, StreamKind, StreamPlan};

    #[test]
    fn stages_stand_one_below_the_other() {
        let unknown = StagePlan {
            tool: "a-foreign-program".into(),
            foreign: true,
            argv: vec![crate::explain::schema::PlanWord::Text("a-foreign-program -x".into())],
            ..StagePlan::default()
        };
        let mut gather = StagePlan { tool: "mc-gather".into(), ..StagePlan::default() };
        gather.writes = StreamPlan::of_kind(StreamKind::Records);
        gather.place.here = true;
        let plan = PlanDocument { stages: vec![unknown, gather], ..PlanDocument::default() };
        let said = text(&plan, 60);
        assert!(
            said.starts_with("1  a-foreign-program  \n               a-foreign-program -x\n"),
            "{said}"
        );
        assert!(said.contains("\n2  mc-gather   "), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 60), "{said}");
    }
}
