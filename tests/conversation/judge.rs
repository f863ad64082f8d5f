//! Whether a conversation that is over went as it should.

use super::world::{TalkEnd, Work, World};
use crate::wire::message::Reply;

/// Panics where something does not hold.
pub(super) fn judge(world: World) {
    for (number, work) in &world.works {
        let talk = &world.talks[number];
        // Nothing begins before all of its input is there, whatever else is said.
        if let (Some(input), Some(had)) = (&talk.input, &work.input) {
            let was_given_up = matches!(talk.end, Some(TalkEnd::GivenUp | TalkEnd::Replied(_)));
            assert!(had == input || was_given_up && input.starts_with(had), "request {number}");
        }
    }
    if world.is_hostile {
        return;
    }
    if let Some(error) = world.broken.iter().flatten().next() {
        panic!("it breaks with nobody to blame: {error}");
    }
    if world.is_cut {
        return;
    }
    assert!(world.desk.is_empty() && world.open.is_empty() && world.flows.is_empty());
    assert!(world.tool.requests.is_empty());
    for (number, talk) in &world.talks {
        let Some(TalkEnd::Replied(reply)) = &talk.end else { continue };
        let Work { input, output, reply: said, .. } = &world.works[number];
        assert_eq!(Some(reply), said.as_ref(), "request {number}");
        match reply {
            Reply::Done(_) => {
                assert!(talk.got == *output, "request {number}: other data than was sent");
                assert!(talk.input.as_ref().is_none_or(|all| Some(all) == input.as_ref()));
            }
            Reply::Failed(_) => assert!(input.is_none(), "request {number} fails for nothing"),
            other => panic!("{other:?}"),
        }
    }
}
