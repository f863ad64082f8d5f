//! Temporary files that do not hold any more what was written to them: one bit of what is read of them is another.
//! It is noticed, whichever it is; inputs, which nobody has sums of, come through pipes here.

use super::calls::How;
use super::local::{inputs, lanes};
use super::pipeline::Pipeline;
use crate::support::dir;

/// Pipelines whose second tool puts records aside.
const ALL: [Pipeline; 4] = [
    of("sort", &["mc-cat csv:{}/in.csv", "mc-sort -k k -S 150K", "mc-gather -o ndjson:out"]),
    of("shuffle", &["mc-cat csv:{}/in.csv", "mc-shuffle -k k -S 150K", "mc-gather -o ndjson:out"]),
    of(
        "shuffle --reduce",
        &[
            "mc-cat csv:{}/in.csv",
            "mc-shuffle -k v -S 150K --reduce collect:filler",
            "mc-gather -o ndjson:out",
        ],
    ),
    of(
        "join",
        &[
            "mc-cat csv:{}/in.csv",
            "mc-join -k k -S 150K --prefix right_ <(mc-cat csv:{}/in.csv)",
            "mc-gather -o ndjson:out",
        ],
    ),
];

const fn of(name: &'static str, stages: &'static [&'static str]) -> Pipeline {
    Pipeline { name, stages, output: "out", replaces: true, shows: "cat out", programs: &[] }
}

#[test]
fn every_bit_that_flips_in_a_temporary_file_is_noticed() {
    let dir = dir();
    inputs(&dir);
    let lane = &lanes(dir.path())[0];
    for pipeline in &ALL {
        let program = pipeline.stages[1].split(' ').next().unwrap();
        lane.plan.nothing();
        let (codes, said, _) = lane.run(pipeline, dir.path());
        assert!(codes.iter().all(|code| *code == 0), "{}: {codes:?} {said:?}", pipeline.name);
        let due = lane.shown(pipeline);
        let (mut noticed, mut k) = (0, 0);
        loop {
            // Each of the first ones, and of the others some.
            k += 1 + k / 6;
            lane.plan.set(program, "read", k, How::Flip);
            let ran = lane.judged(pipeline, dir.path(), &due, How::Flip);
            let (of, wrong) = (format!("{}: read {k}", pipeline.name), ran.wrong.join("; "));
            assert!(wrong.is_empty(), "{of} of {:?}: {wrong}: {:?}", ran.fired, ran.said);
            if ran.fired.is_none() {
                break;
            }
            noticed += u32::from(ran.codes[1] == 4);
        }
        assert!(noticed > 3, "{}: only {noticed} were noticed", pipeline.name);
    }
}
