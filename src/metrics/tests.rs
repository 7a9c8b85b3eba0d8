//! Whatever clouds and users call things, a scrape can be read, and says what they said.

use super::{Body, Census, Fleet, Format, Group, Own, Series, Sheet, Snapshot, identity};
use crate::model::{AccountKey, Exits, Facts, LabelText, MAX_LABEL, Observe, Phase, Provider, Target, Task, TaskKey};
use proptest::prelude::*;
use std::collections::BTreeSet;
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

fn body(text: &str, codes: &[String], format: Format) -> String {
    let (target, own) = (target(text), Own::new().unwrap());
    own.set_build(text, text);
    for code in codes {
        own.request(&target.key.account, "DescribeTaskInfo", code, Duration::ZERO);
    }
    let (mut fleet, mut census) = (Fleet::default(), Census::default());
    fleet.add_group(Group::from(&target));
    census.count(Group::from(&target), Phase::Running);
    let series = Series {
        identity: identity(&target),
        state: Some(Arc::new(Sheet::of_task(&target, &task(text), true))),
        poll: Some(Arc::new(Sheet::of_poll(true, None))),
    };
    let snapshot = Snapshot { tasks: vec![series], fleet, census, own: own.render(format) };
    let bytes: Vec<u8> = Body::new(snapshot, format).flatten().collect();
    String::from_utf8(bytes).unwrap()
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
            let body = body(text, &codes, format);
            let mut seen = BTreeSet::new();
            for line in body.split_terminator('\n').filter(|line| !line.starts_with('#')) {
                let (name, labels, value) = read_sample(line);
                prop_assert!(value.is_finite());
                let is_outside = |label: &str| {
                    ["account", "cloud_region", "group", "task_id", "team", "job_id", "task_name", "task_type", "cluster_id",
                        "version", "revision"].contains(&label) || (label == "state" && name == "cloud_task_provider_state")
                };
                for (label, value) in labels.iter().filter(|(label, _)| is_outside(label)) {
                    prop_assert_eq!(value.replace('\n', " "), shown(text), "{}", label);
                }
                prop_assert!(labels.iter().all(|(_, value)| value.chars().count() <= MAX_LABEL));
                prop_assert!(seen.insert((name, labels)), "{line} stands twice");
            }
        }
    }
}
