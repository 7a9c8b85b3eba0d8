//! Mistakes of a config, each at its place in the document; all of them are gathered before anything is refused.

use std::fmt;

/// One step of the way to a value of a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The value under a key.
    Key(String),
    /// An item of a list.
    Index(usize),
}

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, from the root of the document.
    pub path: Vec<Step>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// The mistakes found so far, and the place being looked at.
#[derive(Debug, Default)]
pub struct Report {
    here: Vec<Step>,
    mistakes: Vec<Mistake>,
}

impl Report {
    /// Looks at the value under a key; mistakes found by `look` are placed there.
    pub fn at<T>(&mut self, key: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        self.within(Step::Key(key.to_owned()), look)
    }

    /// Looks at one item of a list; mistakes found by `look` are placed there.
    pub fn at_index<T>(&mut self, index: usize, look: impl FnOnce(&mut Self) -> T) -> T {
        self.within(Step::Index(index), look)
    }

    /// Looks at each item of a list.
    pub fn each<T, U>(&mut self, items: Vec<T>, mut look: impl FnMut(&mut Self, T) -> U) -> Vec<U> {
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| self.within(Step::Index(index), |report| look(report, item)))
            .collect()
    }

    /// Notes a mistake here.
    pub fn mistake(&mut self, message: impl Into<String>) {
        self.mistakes.push(Mistake { path: self.here.clone(), message: message.into() });
    }

    /// Notes a mistake at a key of the value looked at.
    pub fn mistake_at(&mut self, key: &str, message: impl Into<String>) {
        self.at(key, |report| report.mistake(message));
    }

    /// A value that must be there; a mistake of the enclosing value where it is not.
    pub fn required<T>(&mut self, key: &str, value: Option<T>, example: &str) -> Option<T> {
        if value.is_none() {
            self.mistake(format!("missing `{key}`, for example `{key}: {example}`"));
        }
        value
    }

    /// Whether nothing is wrong so far.
    pub const fn is_clean(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// The mistakes in the order they were found.
    pub fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    fn within<T>(&mut self, step: Step, look: impl FnOnce(&mut Self) -> T) -> T {
        self.here.push(step);
        let result = look(self);
        self.here.pop();
        result
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.path.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => write!(formatter, "{key}")?,
                Step::Key(key) => write!(formatter, ".{key}")?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        if !self.path.is_empty() {
            formatter.write_str(": ")?;
        }
        formatter.write_str(&self.message)
    }
}
