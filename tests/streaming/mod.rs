//! Jobs of Hadoop Streaming as they are: mappers and reducers that others wrote, or that are written
//! as theirs.

mod mrjob;
mod scripts;

use crate::support::Random;

/// Lines of words, some of them long, empty, with capitals, or no ASCII.
fn lines(count: u64) -> String {
    let words =
        "The a dog cat run under us unusual über naïve it's don't tree Blue house you of in";
    let words: Vec<&str> = words.split(' ').collect();
    let mut random = Random::seeded(11);
    let mut text = String::new();
    for _ in 0..count {
        let line: Vec<&str> = (0..random.below(9))
            .map(|_| words[random.below(words.len() as u64) as usize])
            .collect();
        text += &line.join(" ");
        text.push('\n');
    }
    text
}
