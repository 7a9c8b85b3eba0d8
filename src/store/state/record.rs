//! What a state file holds, line by line: a kind, a name, a value in JSON.
//!
//! Format 2. A change of a type that is written changes the file, so a golden test looks at every kind of line: when it
//! has to change, so has [`FORMAT`], and the old format has to be read all the same. Lines of an old format stay in the file
//! until what they tell changes, so every type reads what was ever written of it:
//!
//! - format 1 had histograms without native buckets.

use super::super::changes::{Batch, Kind};
use super::super::name::{Name, of_group, of_task};
use super::super::saved::Saved;
use super::error::Damage;
use crate::model::Task;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The format that is written, and the latest that can be read.
pub(super) const FORMAT: u32 = 2;

const FORMAT_NAME: &str = "format";
const BEGAN_NAME: &str = "began";

/// One line to be written; without a value, to be taken out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) value: Option<Vec<u8>>,
}

/// Why what was read is of no use.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// A later version wrote it.
    Newer(u32),
    /// Nobody wrote it so.
    Damaged(Damage),
}

impl Kind {
    /// Every kind, in the order the golden test shows them.
    pub(super) const ALL: [Self; 6] =
        [Self::Meta, Self::Group, Self::Task, Self::Standing, Self::Forgotten, Self::Note];

    /// What the lines of a kind are called together in the file.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Group => "groups",
            Self::Task => "tasks",
            Self::Standing => "standings",
            Self::Forgotten => "forgotten",
            Self::Note => "notes",
        }
    }
}

impl Line {
    fn new(kind: Kind, name: Name, value: &(impl Serialize + ?Sized)) -> serde_json::Result<Self> {
        Ok(Self { kind, name, value: Some(serde_json::to_vec(value)?) })
    }
}

/// The lines of a new file.
///
/// # Errors
/// When a value cannot be put into JSON, which is a bug.
pub(super) fn first_lines(began: Timestamp) -> serde_json::Result<Vec<Line>> {
    Ok(vec![format_line()?, began_line(began)?])
}

fn format_line() -> serde_json::Result<Line> {
    Line::new(Kind::Meta, FORMAT_NAME.into(), &FORMAT)
}

fn began_line(began: Timestamp) -> serde_json::Result<Line> {
    Line::new(Kind::Meta, BEGAN_NAME.into(), &began)
}

/// The lines of a batch, in the order to write them: what is dropped comes first. The format is among them, for the file
/// may have been of an older one until now.
///
/// # Errors
/// When a value cannot be put into JSON, which is a bug.
pub(super) fn lines(batch: &Batch) -> serde_json::Result<Vec<Line>> {
    let dropped = batch.dropped.iter().cloned().map(|(kind, name)| Ok(Line { kind, name, value: None }));
    let groups = batch.groups.iter().map(|(group, counts)| Line::new(Kind::Group, of_group(group), counts));
    let tasks = batch.tasks.iter().map(|(key, task)| Line::new(Kind::Task, of_task(key), &**task));
    let standings = batch.standings.iter().map(|(key, standing)| Line::new(Kind::Standing, of_task(key), standing));
    let forgotten = batch.forgotten.iter().map(|(name, tally)| Line::new(Kind::Forgotten, Name::clone(name), tally));
    let notes = batch.notes.iter().map(|(name, note)| Line::new(Kind::Note, Name::clone(name), &**note));
    let began = batch.began.map(began_line);
    let format = std::iter::once(format_line());
    format
        .chain(dropped)
        .chain(groups)
        .chain(tasks)
        .chain(standings)
        .chain(forgotten)
        .chain(notes)
        .chain(began)
        .collect()
}

/// What the whole lines of a file say. `read` gives those of a kind, those of [`Kind::Meta`] first.
///
/// # Errors
/// Why they say nothing, or what `read` says.
pub(super) fn saved<E: From<Unreadable>>(
    mut read: impl FnMut(Kind) -> Result<Vec<(String, Vec<u8>)>, E>,
) -> Result<Saved, E> {
    let began = began(&read(Kind::Meta)?)?;
    let tasks: Vec<(Name, Task)> = values_of(Kind::Task, &read(Kind::Task)?)?;
    let notes: Vec<(Name, String)> = values_of(Kind::Note, &read(Kind::Note)?)?;
    Ok(Saved {
        began,
        groups: values_of(Kind::Group, &read(Kind::Group)?)?,
        tasks: tasks.into_iter().map(|(name, task)| (name, Arc::new(task))).collect(),
        standings: values_of(Kind::Standing, &read(Kind::Standing)?)?,
        forgotten: values_of(Kind::Forgotten, &read(Kind::Forgotten)?)?,
        notes: notes.into_iter().map(|(name, note)| (name, note.into())).collect(),
    })
}

/// When the counting began, by lines of a format that is known.
fn began(meta: &[(String, Vec<u8>)]) -> Result<Timestamp, Unreadable> {
    let of = |wanted: &str| meta.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let missing = |name: &str| Unreadable::Damaged(Damage(format!("it does not say its {name}")));
    let format: u32 = value_of(Kind::Meta, FORMAT_NAME, of(FORMAT_NAME).ok_or_else(|| missing(FORMAT_NAME))?)?;
    match format {
        1..=FORMAT => value_of(Kind::Meta, BEGAN_NAME, of(BEGAN_NAME).ok_or_else(|| missing(BEGAN_NAME))?),
        0 => Err(Unreadable::Damaged(Damage("there is no format 0".to_owned()))),
        newer => Err(Unreadable::Newer(newer)),
    }
}

fn values_of<T, C>(kind: Kind, lines: &[(String, Vec<u8>)]) -> Result<C, Unreadable>
where
    T: DeserializeOwned,
    C: FromIterator<(Name, T)>,
{
    lines.iter().map(|(name, value)| Ok((name.as_str().into(), value_of(kind, name, value)?))).collect()
}

fn value_of<T: DeserializeOwned>(kind: Kind, name: &str, value: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(value)
        .map_err(|error| Unreadable::Damaged(Damage(format!("{} {name} cannot be read: {error}", kind.table()))))
}
