//! What a program for Hadoop Streaming finds of its task in its environment: the properties of the
//! job, by the names that they have today and by those of before, with `_` for each point.
//!
//! Only what is true here is set: of what Hadoop alone has (its file system, the number of its
//! reducers, its classes) there is nothing.

use std::ffi::OsString;

/// What a command is told of its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HadoopJob {
    /// The number of the job, of the form `1700000000000_0001`.
    pub number: String,
    /// Whether it is a mapper, or else a reducer.
    pub is_map: bool,
    /// The part of a file that the task has for its input, where it is one.
    pub part: Option<InputPart>,
}

/// A part of a file that is the input of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPart {
    /// The file, by its whole path.
    pub path: OsString,
    /// Where the part begins, in bytes.
    pub start: u64,
    /// How long it is.
    pub length: u64,
}

impl HadoopJob {
    /// The variables for attempt `attempt` at task `task`, both from 1.
    pub(crate) fn variables(&self, task: u64, attempt: u32) -> Vec<(&'static str, OsString)> {
        let kind = if self.is_map { 'm' } else { 'r' };
        let (task, attempt) = (task.saturating_sub(1), attempt.saturating_sub(1));
        let of_task = format!("{}_{kind}_{task:06}", self.number);
        let mut variables = Vec::with_capacity(16);
        let mut set = |names: [&'static str; 2], value: OsString| {
            variables.extend(names.map(|name| (name, value.clone())));
        };
        set(["mapreduce_job_id", "mapred_job_id"], format!("job_{}", self.number).into());
        set(["mapreduce_task_id", "mapred_tip_id"], format!("task_{of_task}").into());
        set(
            ["mapreduce_task_attempt_id", "mapred_task_id"],
            format!("attempt_{of_task}_{attempt}").into(),
        );
        set(["mapreduce_task_partition", "mapred_task_partition"], task.to_string().into());
        set(["mapreduce_task_ismap", "mapred_task_is_map"], self.is_map.to_string().into());
        if let Some(InputPart { path, start, length }) = &self.part {
            let mut place = OsString::from("file://");
            place.push(path);
            set(["mapreduce_map_input_file", "map_input_file"], place);
            set(["mapreduce_map_input_start", "map_input_start"], start.to_string().into());
            set(["mapreduce_map_input_length", "map_input_length"], length.to_string().into());
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_true_has_two_names() {
        let number = "1700000000000_0042".to_string();
        let mapper = HadoopJob { number: number.clone(), is_map: true, part: None };
        let variables = mapper.variables(13, 2);
        let named = |name: &str| {
            let found = variables.iter().find(|(found, _)| *found == name);
            found.unwrap().1.to_str().unwrap().to_string()
        };
        assert_eq!(named("mapreduce_job_id"), "job_1700000000000_0042");
        assert_eq!(named("mapred_tip_id"), "task_1700000000000_0042_m_000012");
        assert_eq!(named("mapred_task_id"), "attempt_1700000000000_0042_m_000012_1");
        assert_eq!(named("mapreduce_task_partition"), "12");
        assert_eq!(named("mapred_task_is_map"), "true");
        assert_eq!(variables.len(), 10);
        let part = Some(InputPart { path: "/a b".into(), start: 3, length: 4 });
        let variables = HadoopJob { number, is_map: false, part }.variables(1, 1);
        let has = |name, value: &str| variables.contains(&(name, value.into()));
        assert!(has("mapreduce_task_id", "task_1700000000000_0042_r_000000"));
        assert!(has("map_input_file", "file:///a b") && has("map_input_start", "3"));
        assert!(has("mapreduce_map_input_length", "4") && has("mapreduce_task_ismap", "false"));
    }
}
