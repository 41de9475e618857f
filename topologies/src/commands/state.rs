//! `state inspect`: what local state says about itself, also while a process uses it. Changes nothing.

use std::path::{Path, PathBuf};

use highwater::time::{Clock as _, SystemClock};
use highwater_state::{Inspection, TaskState};

use super::output::Output;
use crate::config::Config;
use crate::exit::Failure;

/// A task's directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TaskDir {
    pub(super) application: String,
    pub(super) task: String,
    pub(super) path: PathBuf,
}

/// Prints what is known about one task, or about all.
pub fn inspect(config: &Config, task: Option<&str>) -> Result<(), Failure> {
    let tasks = task_dirs(&config.state_dir)?;
    let chosen: Vec<&TaskDir> = tasks.iter().filter(|dir| task.is_none_or(|task| task == dir.task)).collect();
    if let Some(task) = task
        && chosen.is_empty()
    {
        let known: Vec<&str> = tasks.iter().map(|dir| &*dir.task).collect();
        return Err(Failure::failed(format!(
            "there is no state of task `{task}` in {}; there is of: {}",
            config.state_dir.display(),
            known.join(", ")
        )));
    }
    let mut output = Output::open();
    if chosen.is_empty() {
        output.line(format_args!("no state in {}", config.state_dir.display()))?;
    }
    let now_ms = SystemClock.now().as_millis();
    for dir in chosen {
        match TaskState::inspect(&dir.path) {
            Ok(inspection) => describe(&mut output, dir, &inspection, now_ms)?,
            Err(error) => output.line(format_args!("{}  {}  cannot be read: {error}", dir.application, dir.task))?,
        }
    }
    output.flush()
}

fn describe(output: &mut Output, dir: &TaskDir, inspection: &Inspection, now_ms: i64) -> Result<(), Failure> {
    let age = inspection
        .stamp_ms
        .map_or_else(|| "never stamped".to_owned(), |stamp| format!("stamped {} s ago", (now_ms - stamp) / 1000));
    let format = inspection.format.map_or_else(|| "none".to_owned(), |format| format.to_string());
    output.line(format_args!(
        "{}  {}  format={format}  {age}  disk_bytes={}  pinned_bytes={}",
        dir.application, dir.task, inspection.usage.disk_bytes, inspection.usage.table_reader_bytes
    ))?;
    for store in &inspection.stores {
        let position = match (&store.position, store.logged) {
            (Some(position), _) => format!("changelog_position={}", position.next),
            (None, true) => "changelog_position=none".to_owned(),
            (None, false) => "not logged".to_owned(),
        };
        output.line(format_args!("    {}  {}  {position}  keys~{}", store.name, store.kind.name(), store.estimated_keys))?;
    }
    Ok(())
}

/// `<state_dir>/<application>/<task>`, sorted.
pub(super) fn task_dirs(state_dir: &Path) -> Result<Vec<TaskDir>, Failure> {
    let mut found = Vec::new();
    for (application, path) in directories(state_dir)? {
        for (task, path) in directories(&path)? {
            found.push(TaskDir { application: application.clone(), task, path });
        }
    }
    found.sort_by(|a, b| (&a.application, &a.task).cmp(&(&b.application, &b.task)));
    Ok(found)
}

fn directories(of: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let unreadable = |error: std::io::Error| Failure::config(format!("directory {} cannot be read: {error}", of.display()));
    let entries = match std::fs::read_dir(of) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        if entry.path().is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    Ok(found)
}
