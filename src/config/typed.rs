//! A YAML value to a typed one, with every mistake: the typed reader stops at the first, so what it stumbles over is taken
//! out and it is asked again.

use super::found::{Found, Part};
use super::words;
use crate::cloud::settings::{Mistake, Report, Step};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many mistakes are told at most; each costs one more look at the whole document.
pub(super) const MOST: usize = 100;

/// What could be read, and what was taken out to get there.
#[derive(Debug)]
pub(super) struct Typed<T> {
    /// The file without what was wrong; none if that could not be made to fit, or took too long.
    pub(super) value: Option<T>,
    /// What was wrong.
    pub(super) found: Vec<Found>,
    /// What was taken out.
    pub(super) gaps: Gaps,
}

/// What was taken out of a document.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Items by their list, both as the text has them.
    items: BTreeMap<Vec<Step>, BTreeSet<usize>>,
    /// Keys, each with the mapping it was in. A misspelt one stands here under the right name, too.
    keys: BTreeSet<(Vec<Step>, String)>,
}

/// Reads what can be read.
pub(super) fn read<T: DeserializeOwned>(mut value: Value) -> Typed<T> {
    let mut found = Vec::new();
    let mut gaps = Gaps::default();
    while found.len() < MOST {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(value) => return Typed { value: Some(value), found, gaps },
            Err(error) => error,
        };
        let path = existing(&value, steps(error.path()));
        let told = words::of_serde(&error.into_inner().to_string(), &path);
        let original = gaps.original(&path);
        if let Some((Step::Key(key), parent)) = original.split_last() {
            let names = [Some(key.clone()), told.meant];
            gaps.keys.extend(names.into_iter().flatten().map(|name| (parent.to_vec(), name)));
        }
        // A key with nothing after it counts as left out.
        if !told.is_nothing || !matches!(path.last(), Some(Step::Key(_))) {
            let part = if told.is_key { Part::Key } else { Part::Value };
            found.push(Found { path: original, part, message: told.message });
        }
        if path.is_empty() {
            break;
        }
        take_out(&mut value, &path, &mut gaps);
    }
    Typed { value: None, found, gaps }
}

impl Gaps {
    /// A path of the pruned document as a path of the text.
    pub(super) fn original(&self, path: &[Step]) -> Vec<Step> {
        let mut original = Vec::with_capacity(path.len());
        for step in path {
            let step = match step {
                Step::Key(key) => Step::Key(key.clone()),
                Step::Index(index) => {
                    let gone = self.items.get(&original).into_iter().flatten();
                    Step::Index(gone.fold(*index, |index, gone| if *gone <= index { index + 1 } else { index }))
                }
            };
            original.push(step);
        }
        original
    }

    /// The mistakes of a report on what was left, with their paths in the text; without those that only miss what was
    /// taken out.
    pub(super) fn judge(&self, report: Report) -> impl Iterator<Item = Found> {
        let original = |mistake: Mistake| Mistake { path: self.original(&mistake.path), ..mistake };
        let mistakes = report.into_mistakes().into_iter().map(original);
        mistakes.filter(|mistake| !self.explain(mistake)).map(Found::from)
    }

    fn explain(&self, mistake: &Mistake) -> bool {
        self.keys.iter().any(|(parent, key)| {
            let names_it = || mistake.message.contains(&format!("`{key}`"));
            let is_below = mistake.path.strip_prefix(&**parent).is_some_and(|below| match below.first() {
                Some(Step::Key(first)) => first == key,
                _ => false,
            });
            is_below || (mistake.path == *parent && names_it())
        })
    }
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    path.iter()
        .map_while(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// As much of a path as leads somewhere.
fn existing(value: &Value, mut path: Vec<Step>) -> Vec<Step> {
    let mut here = Some(value);
    let length = path
        .iter()
        .take_while(|step| {
            here = here.and_then(|value| match step {
                Step::Key(key) => value.get(key),
                Step::Index(index) => value.get(index),
            });
            here.is_some()
        })
        .count();
    path.truncate(length);
    path
}

fn take_out(root: &mut Value, path: &[Step], gaps: &mut Gaps) {
    let Some((step, parent_path)) = path.split_last() else {
        return;
    };
    let original = gaps.original(path);
    let parent = parent_path.iter().try_fold(&mut *root, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (parent, step) {
        (Some(Value::Mapping(mapping)), Step::Key(key)) => {
            mapping.shift_remove(key.as_str());
        }
        (Some(Value::Sequence(list)), Step::Index(index)) if *index < list.len() => {
            list.remove(*index);
            let is_empty = list.is_empty();
            if let Some((Step::Index(index), list)) = original.split_last() {
                gaps.items.entry(list.to_vec()).or_default().insert(*index);
            }
            if is_empty {
                note_key(&original, gaps);
                take_out(root, parent_path, gaps);
            }
        }
        _ => {}
    }
}

/// A list that has lost its last item counts as taken out itself.
fn note_key(item: &[Step], gaps: &mut Gaps) {
    if let [parent @ .., Step::Key(key), Step::Index(_)] = item {
        gaps.keys.insert((parent.to_vec(), key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Toy {
        name: Option<String>,
        sizes: Vec<u8>,
        parts: Vec<Self>,
    }

    fn read_toy(text: &str) -> (Option<Toy>, Vec<String>, Gaps) {
        let Typed { value, found, gaps } = read(serde_yaml::from_str(text).unwrap());
        let told = found.into_iter().map(|Found { path, message, .. }| Mistake { path, message }.to_string()).collect();
        (value, told, gaps)
    }

    #[test]
    fn every_mistake_is_told_with_the_index_of_the_text() {
        let (toy, told, _) =
            read_toy("{nmae: x, sizes: [300, 1, no, 2, -1], parts: [5, {name: [], size: []}, {sizes: 7}]}");
        assert_eq!(toy, Some(Toy { sizes: vec![1, 2], parts: vec![Toy::default(), Toy::default()], ..Toy::default() }));
        insta::assert_snapshot!(told.join("\n"), @r#"
        nmae: unknown key; did you mean `name`? expected one of name, sizes, parts
        sizes[0]: expected a whole number, found the number 300
        sizes[2]: expected a whole number, found the text "no"
        sizes[4]: expected a whole number, found the number -1
        parts[0]: expected a mapping (`key: value` lines), found a number
        parts[1].name: expected a text, found a list
        parts[1].size: unknown key; did you mean `sizes`? expected one of name, sizes, parts
        parts[2].sizes: expected a list, found a number; begin each item with `- `
        "#);
    }

    #[test]
    fn what_was_taken_out_is_not_missed() {
        let (_, _, gaps) = read_toy("{nmae: x, sizes: [no], parts: [{name: 5}]}");
        let mistake = |path: &[Step], message: &str| Mistake { path: path.to_vec(), message: message.to_owned() };
        assert!(gaps.explain(&mistake(&[], "missing `name`")));
        assert!(gaps.explain(&mistake(&[], "neither `sizes` nor x")));
        assert!(gaps.explain(&mistake(&[Step::Key("sizes".to_owned())], "an empty list")));
        assert!(!gaps.explain(&mistake(&[], "missing `parts`")));
        assert!(!gaps.explain(&mistake(&[Step::Key("parts".to_owned()), Step::Index(1)], "missing `name`")));
    }

    #[test]
    fn a_key_with_nothing_after_it_is_left_out() {
        let (toy, told, _) = read_toy("{name: , sizes: , parts: [{sizes: }]}");
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(toy, Some(Toy { parts: vec![Toy::default()], ..Toy::default() }));
    }
}
