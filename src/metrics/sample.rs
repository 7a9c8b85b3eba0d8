//! What a family tells, whatever the format: values and histograms, each with its labels.
//!
//! Who knows something tells it once, to whoever writes it down.

use crate::model::{Histogram, MAX_LABEL};
use jiff::Timestamp;
use std::fmt;

/// Label names and values, beside those the writer adds.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// Takes the metrics of one family, one after another.
pub(super) trait Samples {
    /// A gauge or counter.
    fn sample(&mut self, labels: &Labels<'_>, value: Value);
    /// A histogram, whole.
    fn histogram(&mut self, labels: &Labels<'_>, histogram: &Histogram);
}

impl dyn Samples + '_ {
    /// A value without labels of its own.
    pub(super) fn value(&mut self, value: impl Into<Value>) {
        self.sample(&[], value.into());
    }

    /// An instant, if there is one.
    pub(super) fn instant(&mut self, instant: Option<Timestamp>) {
        if let Some(instant) = instant {
            self.value(instant.as_duration().as_secs_f64());
        }
    }
}

/// What a gauge or counter says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl Value {
    /// As the number that Prometheus makes of it.
    #[expect(clippy::cast_precision_loss, reason = "every sample of Prometheus is such a number")]
    pub(super) const fn number(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(formatter),
            Self::Real(value) => value.fmt(formatter),
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// A label value as every format shows it: cut, and without control characters but for line breaks.
pub(super) fn shown(value: &str) -> impl Iterator<Item = char> + '_ {
    let clean = |character: char| if character.is_control() && character != '\n' { ' ' } else { character };
    value.chars().take(MAX_LABEL).map(clean)
}
