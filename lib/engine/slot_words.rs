//! What slots say of their tasks.

use crate::cluster::host::shown;
use crate::command::relay::LastWords;
use crate::engine::plan::WorkPlace;
use crate::engine::slot::Slot;

impl Slot<'_> {
    /// Passes on the last words of a command that failed, unless they were heard before.
    pub(super) fn tell(&self, prefix: &str, words: &LastWords) {
        if !words.lines.is_empty() && self.tally.heard.is_new(&words.lines) {
            words.pass_on(prefix, self.plan.setting.voice.pass_on);
        }
    }

    /// The same, where the task has failed for good.
    pub(super) fn tell_last(&self, task: u64, prefix: &str, words: &LastWords) {
        if self.queue.wanted(task) && self.tally.heard.is_unheard(&words.lines) {
            words.pass_on(prefix, self.plan.setting.voice.pass_on);
        }
    }

    /// What stands before a line about a task on `host`.
    pub(super) fn prefix_on(&self, host: &str, task: u64) -> String {
        match self.plan.place {
            WorkPlace::Here(_) => self.prefix(task, 1),
            WorkPlace::Hosts(..) => format!("{}: {}: task {task}: ", self.plan.tool(), shown(host)),
        }
    }

    pub(super) fn prefix(&self, task: u64, attempt: u32) -> String {
        match attempt {
            1 => format!("{}: task {task}: ", self.plan.tool()),
            _ => format!("{}: task {task}, attempt {attempt}: ", self.plan.tool()),
        }
    }

    pub(super) fn say(&self, task: u64, attempt: u32, text: &str) {
        self.plan.say(&format!("{}{text}\n", self.prefix(task, attempt)));
    }
}
