//! Counts over the tasks of a group: what happened since the exporter first ran, and where its tasks stand.
//!
//! The counters are kept here and nowhere else; they only rise. Whether a finish counts is decided by the store.

use super::catalogue;
use super::families::Families;
use super::sample::Value;
use crate::model::{Histogram, Outcome, Phase, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tasks of one group of one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    provider: &'static str,
    account: Arc<str>,
    cloud_region: Arc<str>,
    name: Arc<str>,
}

impl From<&Target> for Group {
    fn from(target: &Target) -> Self {
        Self {
            provider: target.key.account.provider.as_str(),
            account: Arc::clone(&target.key.account.account),
            cloud_region: Arc::clone(&target.cloud_region),
            name: Arc::clone(&target.group),
        }
    }
}

impl Group {
    /// The values of [`catalogue::FLEET_LABELS`].
    pub fn values(&self) -> [&str; catalogue::FLEET_LABELS.len()] {
        [self.provider, &self.account, &self.cloud_region, &self.name]
    }

    fn labels(&self) -> Vec<(&str, &str)> {
        catalogue::FLEET_LABELS.into_iter().zip(self.values()).collect()
    }

    fn labels_with<'a>(&'a self, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut labels = self.labels();
        labels.push((name, value));
        labels
    }
}

/// What a group's tasks did so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// In the order of [`Outcome::ALL`], as are the durations.
    finished: [u64; Outcome::ALL.len()],
    durations: [Histogram; Outcome::ALL.len()],
    instance_failures: u64,
}

/// The counters of every group.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    groups: BTreeMap<Group, Counts>,
}

/// Tasks by phase, of every group.
#[derive(Clone, Debug, Default)]
pub struct Census {
    groups: BTreeMap<Group, [u64; Phase::ALL.len()]>,
}

impl Fleet {
    /// Makes a group known, so that its counters are there from zero.
    pub fn add_group(&mut self, group: Group) {
        self.groups.entry(group).or_default();
    }

    /// Forgets the groups that are not to be kept, with their counters; which these were.
    pub fn retain(&mut self, is_kept: impl Fn(&Group) -> bool) -> Vec<Group> {
        let gone = self.groups.extract_if(.., |group, _| !is_kept(group));
        gone.map(|(group, _)| group).collect()
    }

    /// Makes a group known that has counted so much before.
    pub fn restore_group(&mut self, group: Group, counts: Counts) {
        self.groups.insert(group, counts);
    }

    /// Whether a group is known.
    pub fn has_group(&self, group: &Group) -> bool {
        self.groups.contains_key(group)
    }

    /// What a group's tasks did so far.
    pub fn counts(&self, group: &Group) -> Option<&Counts> {
        self.groups.get(group)
    }

    /// Counts a finished run of a task.
    pub fn finished(&mut self, group: Group, outcome: Outcome) {
        let counts = self.groups.entry(group).or_default();
        let finished = Outcome::ALL.into_iter().zip(&mut counts.finished);
        finished.filter(|(candidate, _)| *candidate == outcome).for_each(|(_, count)| *count += 1);
    }

    /// Observes how long a finished run took, in seconds.
    pub fn lasted(&mut self, group: Group, outcome: Outcome, seconds: f64) {
        let counts = self.groups.entry(group).or_default();
        let durations = Outcome::ALL.into_iter().zip(&mut counts.durations);
        durations.filter(|(candidate, _)| *candidate == outcome).for_each(|(_, histogram)| histogram.observe(seconds));
    }

    /// Counts instances that failed.
    pub fn instances_failed(&mut self, group: Group, instances: u64) {
        self.groups.entry(group).or_default().instance_failures += instances;
    }

    /// A census with every known group and no task.
    pub fn census(&self) -> Census {
        Census { groups: self.groups.keys().map(|group| (group.clone(), [0; Phase::ALL.len()])).collect() }
    }

    /// Appends the fleet's families.
    pub(super) fn push(&self, census: &Census, families: &mut Families) {
        census.push(families);
        families.push(&catalogue::FINISHED_TOTAL, |samples| {
            for (group, counts) in &self.groups {
                for (outcome, finished) in Outcome::ALL.into_iter().zip(counts.finished) {
                    samples.sample(&group.labels_with("outcome", outcome.as_str()), Value::Whole(finished));
                }
            }
        });
        families.push(&catalogue::INSTANCE_FAILURES, |samples| {
            for (group, counts) in &self.groups {
                samples.sample(&group.labels(), Value::Whole(counts.instance_failures));
            }
        });
        families.push(&catalogue::DURATION, |samples| {
            for (group, counts) in &self.groups {
                for (outcome, durations) in Outcome::ALL.into_iter().zip(&counts.durations) {
                    samples.histogram(&group.labels_with("outcome", outcome.as_str()), durations);
                }
            }
        });
    }
}

impl Census {
    /// Counts a task.
    pub fn count(&mut self, group: Group, phase: Phase) {
        let phases = self.groups.entry(group).or_default();
        for (candidate, tasks) in Phase::ALL.into_iter().zip(phases) {
            *tasks += u64::from(candidate == phase);
        }
    }

    fn push(&self, families: &mut Families) {
        families.push(&catalogue::TASKS, |samples| {
            for (group, phases) in &self.groups {
                for (phase, tasks) in Phase::ALL.into_iter().zip(phases) {
                    samples.sample(&group.labels_with("phase", phase.as_str()), Value::Whole(*tasks));
                }
            }
        });
    }
}
