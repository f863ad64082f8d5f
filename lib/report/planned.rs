//! What the stages of a pipeline were to do, as `--explain` says it.

use crate::explain::schema::{PlanDocument, StagePlan, StreamKind};
use crate::explain::{advice, text};
use crate::report::model::Pipeline;

/// The plan of a pipeline as text; none where no stage has noted what it was to do.
pub(super) fn text(pipeline: &Pipeline) -> Option<String> {
    let mut plan = PlanDocument::default();
    // Where in it a stage of the pipeline stands.
    let mut places: Vec<Option<usize>> = vec![None; pipeline.stages.len()];
    for (at, (_, run)) in pipeline.stages.iter().enumerate() {
        let Some(mut stage) = run.plan.clone() else { continue };
        let before = before(pipeline, at).and_then(|from| places[from]);
        // A stage knows its own part alone; what comes from the one before stands in the other's.
        if let (Some(from), StreamKind::Unknown) = (before, stage.reads.kind) {
            stage.reads = plan.stages[from].writes.clone();
        }
        let chain: Vec<StagePlan> =
            before.map(|from| plan.stages[from].clone()).into_iter().collect();
        stage.advice = advice::advise(&chain, &stage);
        places[at] = Some(plan.stages.len());
        plan.stages.push(stage);
    }
    (!plan.stages.is_empty()).then(|| text::text(&plan, text::COLUMNS))
}

/// The stage whose output the one at `at` reads, if it is one.
fn before(pipeline: &Pipeline, at: usize) -> Option<usize> {
    let mut all = pipeline.links.iter().filter(|link| link.to == at).map(|link| link.from);
    all.next().filter(|_| all.next().is_none())
}
