//! Whatever clouds and users call things, a scrape can be read, and says what they said: the same in every format.

#[expect(unreachable_pub, reason = "the tests of the binary use it, too")]
#[path = "../../tests/it/exposition.rs"]
mod exposition;

use super::{Body, Census, Fleet, Format, Group, Own, Series, Sheet, Snapshot, identity};
use crate::model::{
    AccountKey, Exits, Facts, Histogram, LabelText, MAX_LABEL, Observe, Outcome, Phase, Provider, Target, Task, TaskKey,
};
use exposition::Sample;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

type Labels = Vec<(String, String)>;

/// Reads a sample by the rules of the format, without mercy.
fn read_sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{line}");
            let (value, after) = read_value(after);
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    (name.to_owned(), labels, rest.strip_prefix(' ').unwrap().parse().unwrap())
}

/// A value up to its closing quote, and what follows.
fn read_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next().unwrap() {
            '"' => return (value, characters.as_str()),
            '\\' => value.push(match characters.next().unwrap() {
                'n' => '\n',
                same @ ('"' | '\\') => same,
                other => panic!("no escape: \\{other}"),
            }),
            character => {
                assert!(!character.is_control(), "{text:?}");
                value.push(character);
            }
        }
    }
}

/// What a cloud's or a user's text becomes.
fn shown(text: &str) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(MAX_LABEL).map(clean).collect()
}

fn target(text: &str) -> Target {
    let account = AccountKey { provider: Provider::new("aliyun"), account: text.into() };
    Target {
        key: TaskKey { account, task_id: text.into() },
        cloud_region: text.into(),
        group: text.into(),
        labels: Arc::new([("team".into(), text.into())].into()),
        interval: Duration::from_secs(30),
    }
}

fn task(text: &str) -> Task {
    let label = || LabelText::from(text);
    Task {
        phase: Phase::Running,
        is_final: false,
        provider_state: label(),
        facts: Facts { job_id: label(), task_name: label(), task_type: label(), cluster_id: label() },
        instances: [("running", 1)].into(),
        instances_expected: 1,
        instances_failed: 0,
        rows_truncated: false,
        exits: Exits::bounded([(i64::MIN, 1)].into()),
        created: None,
        started: None,
        finished: None,
        queue: None,
        startup: None,
        run: None,
    }
}

fn histogram(seconds: &[f64]) -> Histogram {
    let mut histogram = Histogram::default();
    for seconds in seconds {
        histogram.observe(*seconds);
    }
    histogram
}

/// All that is exported of one task, which is of that many names, a group and what the exporter counts.
fn snapshot(text: &str, task: Task, own: &Own, format: Format) -> Snapshot {
    let target = target(text);
    let (mut fleet, mut census) = (Fleet::default(), Census::default());
    fleet.add_group(Group::from(&target));
    census.count(Group::from(&target), task.phase);
    for (outcome, histogram) in Outcome::ALL.into_iter().zip([&task.queue, &task.run]) {
        fleet.finished(Group::from(&target), outcome);
        if let Some(histogram) = histogram {
            fleet.lasted(Group::from(&target), outcome, histogram.sum());
        }
    }
    let series = Series {
        identity: identity(&target),
        state: Some(Arc::new(Sheet::of_task(&target, &Arc::new(task), true))),
        poll: Some(Arc::new(Sheet::of_poll(true, None))),
    };
    Snapshot { tasks: vec![series], fleet, census, own: own.render(format) }
}

fn observed(text: &str, codes: &[String]) -> Own {
    let own = Own::new().unwrap();
    own.set_build(text, text);
    for code in codes {
        own.request(&target(text).key.account, "DescribeTaskInfo", code, Duration::from_millis(7));
    }
    own
}

fn bytes(snapshot: Snapshot, format: Format) -> Vec<u8> {
    Body::new(snapshot, format).flatten().collect()
}

/// The samples of a body, whatever its format; those of the process, which change by themselves, are left out.
fn samples(body: &[u8], format: Format) -> Vec<Sample> {
    let mut samples: Vec<Sample> = if format == Format::Protobuf {
        exposition::read(body).iter().flat_map(exposition::MetricFamily::samples).collect()
    } else {
        let lines = std::str::from_utf8(body).unwrap().split_terminator('\n').filter(|line| !line.starts_with('#'));
        let read = lines.map(read_sample);
        read.map(|(name, labels, value)| (name, labels.into_iter().collect(), value)).collect()
    };
    samples.retain(|(name, ..)| !name.starts_with("process_"));
    samples
}

/// Help and type of each family that has a sample.
fn described(body: &[u8], format: Format) -> BTreeMap<String, (String, String)> {
    if format == Format::Protobuf {
        let kind = |family: &exposition::MetricFamily| format!("{:?}", family.r#type()).to_lowercase();
        let read = exposition::read(body);
        return read.iter().map(|it| (it.name().to_owned(), (it.help().to_owned(), kind(it)))).collect();
    }
    let mut families = BTreeMap::new();
    let lines: Vec<&str> = std::str::from_utf8(body).unwrap().lines().collect();
    for (place, line) in lines.iter().enumerate() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else { continue };
        let kind = lines[place + 1].strip_prefix(&format!("# TYPE {name} ")).unwrap().to_owned();
        let total = if format == Format::OpenMetrics && kind == "counter" { "_total" } else { "" };
        let first = lines[place + 2..].iter().find(|line| !line.starts_with("# UNIT"));
        if first.is_some_and(|line| !line.starts_with('#')) {
            let before = families.insert(format!("{name}{total}"), (help.to_owned(), kind));
            assert_eq!(before, None, "{name} stands twice");
        }
    }
    families
}

fn any_task() -> impl Strategy<Value = Task> {
    let durations =
        || prop::option::of(prop::collection::vec(prop_oneof![Just(0.0), 0.001..2.0f64, 0.0..2e5f64], 0..40));
    let instants = prop::array::uniform3(prop::option::of(0i64..2_000_000_000_000));
    let times = (durations(), durations(), durations(), instants);
    let phase = prop::sample::select(Phase::ALL.to_vec());
    let counts = (any::<u64>(), any::<bool>(), prop::collection::btree_map(any::<i64>(), 1u64..1000, 0..20));
    (times, phase, counts, ".{0,8}").prop_map(|(times, phase, (expected, truncated, exits), text)| {
        let (queue, startup, run, [created, started, finished]) = times;
        let instant = |milliseconds: Option<i64>| Timestamp::from_millisecond(milliseconds?).ok();
        let durations = |seconds: Option<Vec<f64>>| seconds.as_deref().map(histogram);
        Task {
            phase,
            instances_expected: expected,
            rows_truncated: truncated,
            exits: Exits::bounded(exits),
            created: instant(created),
            started: instant(started),
            finished: instant(finished),
            queue: durations(queue),
            startup: durations(startup),
            run: durations(run),
            ..task(&text)
        }
    })
}

#[test]
fn a_family_is_whole_however_small_the_pieces() {
    let own = observed("a", &["ok".to_owned()]);
    let full = || Task { run: Some(histogram(&[0.0, 3.0])), ..task("a") };
    for format in Format::ALL {
        let many = || {
            let mut snapshot = Snapshot { own: Vec::new(), ..snapshot("a", full(), &own, format) };
            snapshot.tasks = std::iter::repeat_n(snapshot.tasks, 5).flatten().collect();
            snapshot
        };
        let whole = bytes(many(), format);
        let told = described(&whole, format);
        for size in 1..3000 {
            let pieces: Vec<Vec<u8>> = Body::in_pieces(many(), format, size).map(|piece| piece.to_vec()).collect();
            assert!(pieces.concat() == whole, "{format:?} in pieces of {size}");
        }
        assert!(told.contains_key("cloud_task_instance_run_duration_seconds"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_texts_stay_label_values(
        any_text in any::<String>(),
        hostile in "[\"\\\\\n\r\t{},= #\u{0}\u{7f}\u{85}\u{2028}a]{0,20}",
        long in "[é\"\\\\]{250,300}",
        codes in prop::collection::vec(prop_oneof![any::<String>(), "[a\"\\\\\n]{0,3}", "[ab]{300}"], 0..60),
    ) {
        for (text, format) in [&any_text, &hostile, &long].into_iter().flat_map(|text| Format::ALL.map(|format| (text, format))) {
            let body = bytes(snapshot(text, task(text), &observed(text, &codes), format), format);
            let mut seen = BTreeSet::new();
            for (name, labels, value) in samples(&body, format) {
                prop_assert!(value.is_finite());
                let is_outside = |label: &str| {
                    ["account", "cloud_region", "group", "task_id", "team", "job_id", "task_name", "task_type", "cluster_id",
                        "version", "revision"].contains(&label) || (label == "state" && name == "cloud_task_provider_state")
                };
                for (label, value) in labels.iter().filter(|(label, _)| is_outside(label)) {
                    prop_assert_eq!(value.replace('\n', " "), shown(text), "{}", label);
                }
                prop_assert!(labels.iter().all(|(_, value)| value.chars().count() <= MAX_LABEL));
                let series = format!("{name} {labels:?}");
                prop_assert!(seen.insert((name, labels)), "{series} stands twice");
            }
        }
    }

    #[test]
    fn every_format_tells_the_same(
        task in any_task(),
        text in prop_oneof![any::<String>(), "[\"\\\\\n\r{},=a]{0,300}"],
        codes in prop::collection::vec("[ab]{0,2}", 0..5),
    ) {
        let own = observed(&text, &codes);
        let told = |format| {
            let body = bytes(snapshot(&text, task.clone(), &own, format), format);
            (samples(&body, format), described(&body, format))
        };
        let [by_text, by_open_metrics, by_protobuf] = Format::ALL.map(told);
        prop_assert!(by_text.0.len() > 30);
        prop_assert_eq!(&by_text, &by_open_metrics);
        prop_assert_eq!(&by_text, &by_protobuf);
    }
}
