//! What a query may name: metrics with their labels, labels with their closed sets of values. Said by the catalogue and the
//! clouds; recording rules add theirs. Nothing is listed here that they know.

use cloud_task_exporter::cloud;
use cloud_task_exporter::metrics::catalogue::{self, FLEET_LABELS, Family, Kind, TASK_LABELS, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// The values a label can have; none: any.
pub type Values = Option<BTreeSet<String>>;

/// The labels of a metric, or of what an expression makes of some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pub named: BTreeMap<String, Values>,
    /// Whether there may be others: so it is with what cannot be known.
    pub any: bool,
}

impl Labels {
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { named: names.into_iter().map(|name| (name.to_owned(), None)).collect(), any: false }
    }

    pub fn has(&self, name: &str) -> bool {
        self.any || self.named.contains_key(name)
    }

    pub fn with(mut self, name: &str, values: Values) -> Self {
        self.named.insert(name.to_owned(), values);
        self
    }

    /// Those of either; a set is closed if both are.
    pub fn or(mut self, other: Self) -> Self {
        self.any |= other.any;
        for (name, values) in other.named {
            match self.named.get_mut(&name) {
                Some(Some(mine)) => match values {
                    Some(values) => mine.extend(values),
                    None => drop(self.named.insert(name, None)),
                },
                Some(None) => {}
                None => drop(self.named.insert(name, values)),
            }
        }
        self
    }

    /// Those for whose name that is true.
    pub fn keep(mut self, is_kept: impl Fn(&str) -> bool) -> Self {
        self.named.retain(|name, _| is_kept(name));
        self
    }
}

/// Every metric a query may name, as samples are named.
#[derive(Clone, Debug, Default)]
pub struct Known {
    metrics: BTreeMap<String, Labels>,
    units: BTreeMap<String, Unit>,
    /// Of histograms: those of what was observed, not of the buckets themselves.
    observed: BTreeMap<String, Unit>,
}

/// Metrics that Prometheus makes for each target it scrapes.
const OF_A_SCRAPE: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
/// Labels that Prometheus gives everything it scrapes.
const OF_A_TARGET: [&str; 2] = ["job", "instance"];
pub const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

impl Known {
    /// What the exporter and Prometheus itself have.
    pub fn of_exporter() -> Self {
        let mut known = Self::default();
        for name in OF_A_SCRAPE {
            known.add(name, Labels::of(OF_A_TARGET));
        }
        let scopes: [(&[&[Family]], &[&str]); 3] = [
            (&[catalogue::TASK, catalogue::POLL], &TASK_LABELS),
            (&[catalogue::FLEET], &FLEET_LABELS),
            (&[catalogue::OWN, catalogue::PROCESS], &[]),
        ];
        let mut all = Labels::of(OF_A_TARGET);
        for (families, scope) in scopes {
            for family in families.iter().copied().flatten() {
                let labels = labels_of(family, scope);
                // Alerts keep labels of what they are made of, under the values of anything.
                all = all.or(Labels::of(labels.named.keys().map(String::as_str)));
                known.add_family(family, labels);
            }
        }
        let alerts = all
            .with("alertname", None)
            .with("alertstate", closed(["firing", "pending"]))
            .with("severity", closed(SEVERITIES));
        known.add("ALERTS", alerts.clone());
        known.add("ALERTS_FOR_STATE", alerts);
        known
    }

    fn add_family(&mut self, family: &Family, labels: Labels) {
        if family.kind == Kind::Histogram {
            self.add(&format!("{}_bucket", family.name), labels.clone().with("le", None));
            self.add(&format!("{}_sum", family.name), labels.clone());
            self.add(&format!("{}_count", family.name), labels.clone());
            self.units.insert(format!("{}_sum", family.name), family.unit());
            self.observed.insert(family.name.to_owned(), family.unit());
        } else {
            self.units.insert(family.name.to_owned(), family.unit());
        }
        self.add(family.name, labels);
    }

    /// Adds a metric, or the labels of one that is there.
    pub fn add(&mut self, name: &str, labels: Labels) {
        self.metrics.insert(name.to_owned(), labels);
    }

    pub fn labels(&self, name: &str) -> Option<&Labels> {
        self.metrics.get(name)
    }

    /// The labels of the metrics with such names, if there are any.
    pub fn labels_of_all(&self, is_meant: impl Fn(&str) -> bool) -> Option<Labels> {
        let meant = self.metrics.iter().filter(|(name, _)| is_meant(name));
        meant.map(|(_, labels)| labels.clone()).reduce(Labels::or)
    }

    pub fn unit(&self, name: &str) -> Unit {
        self.units.get(name).copied().unwrap_or(Unit::None)
    }

    /// What a histogram, or its buckets, counted.
    pub fn observed(&self, name: &str) -> Unit {
        self.observed.get(name.trim_end_matches("_bucket")).copied().unwrap_or(Unit::None)
    }

    /// Whether some metric begins so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.metrics.keys().any(|name| name.starts_with(prefix))
    }

    /// That a metric is not known, and which may be meant.
    pub fn unknown(&self, name: &str) -> String {
        format!("no metric `{name}`{}", hint(name, self.metrics.keys()))
    }
}

fn labels_of(family: &Family, scope: &[&str]) -> Labels {
    let labels = Labels::of(OF_A_TARGET.into_iter().chain(scope.iter().copied()).chain(family.labels.iter().copied()));
    let providers = cloud::PROVIDERS.iter().map(|provider| provider.as_str()).collect();
    let clouds = ("provider", None, providers);
    let sets = catalogue::closed_labels().map(|closed| (closed.label, closed.family, closed.values));
    sets.into_iter().chain([clouds]).fold(labels, |labels, (label, only, values)| {
        let is_closed = labels.named.contains_key(label) && only.is_none_or(|name| name == family.name);
        if is_closed { labels.with(label, closed(values)) } else { labels }
    })
}

pub fn closed<'a>(values: impl IntoIterator<Item = &'a str>) -> Values {
    values.into_iter().map(str::to_owned).collect::<BTreeSet<_>>().into()
}

/// `; did you mean …?`, or nothing where nothing is like it.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a String>) -> String {
    let distance = |candidate: &&String| strsim::damerau_levenshtein(word, candidate);
    let nearest = candidates.into_iter().min_by_key(distance);
    let near = nearest.filter(|candidate| distance(candidate) <= (word.len() / 3).max(2));
    near.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
}

#[test]
fn a_histogram_has_its_series_and_a_misspelt_name_a_hint() {
    let known = Known::of_exporter();
    for (name, has_le) in [
        ("cloud_task_duration_seconds", false),
        ("cloud_task_duration_seconds_bucket", true),
        ("cloud_task_duration_seconds_sum", false),
        ("cloud_task_duration_seconds_count", false),
    ] {
        assert_eq!(known.labels(name).unwrap().has("le"), has_le, "{name}");
    }
    assert!(known.labels("cloud_tasks_bucket").is_none());
    assert_eq!(known.unknown("cloud_taks"), "no metric `cloud_taks`; did you mean `cloud_tasks`?");
    assert_eq!(known.unknown("node_filesystem_avail_bytes"), "no metric `node_filesystem_avail_bytes`");
}

/// What is exported for the vendors' own examples is in the closed sets.
#[test]
fn what_is_exported_is_known() {
    let sample = regex::Regex::new(r"(?m)^(\w+)\{(.*)\} [^ ]+$").unwrap();
    let label = regex::Regex::new(r#"(\w+)="([^"]*)""#).unwrap();
    let known = Known::of_exporter();
    let mut seen = 0;
    for (path, text) in super::files("tests/it/snapshots", &["snap"]) {
        for sample in sample.captures_iter(&text) {
            let labels = known.labels(&sample[1]).unwrap_or_else(|| panic!("{path}: {}", known.unknown(&sample[1])));
            for label in label.captures_iter(&sample[2]) {
                let Some(values) = labels.named.get(&label[1]) else {
                    assert_eq!(
                        &sample[1], "cloud_task_info",
                        "{path}: only this has configured labels: {}",
                        &sample[0]
                    );
                    continue;
                };
                assert!(values.as_ref().is_none_or(|values| values.contains(&label[2])), "{path}: {}", &sample[0]);
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
