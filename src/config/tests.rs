//! The whole way from a text to its mistakes.

use super::*;
use crate::cli;
use crate::cloud::settings::SecretRef;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Deserialize;
use serde_json::Value as Json;
use std::path::PathBuf;

const EXAMPLE: &str = include_str!("../../config/cloud-task-exporter.yaml");

/// Each bad file of the folder, beside what `check-config` says of it.
#[test]
fn every_bad_file_has_its_words() {
    let entries = std::fs::read_dir("tests/data/config").unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|name| name == "yaml")).collect();
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        let exit = cli::check_config(&path);
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(exit.text, expected, "{}", path.display());
        assert_eq!(exit.code, cli::USAGE, "{}", path.display());
    }
}

#[test]
fn a_file_that_is_not_there_has_no_line() {
    let exit = cli::check_config(Path::new("tests/data/config/no-such-file.yaml"));
    assert_eq!(exit.code, cli::USAGE);
    let begin = "tests/data/config/no-such-file.yaml: the config file cannot be read: No such file";
    assert!(exit.text.starts_with(begin), "{}", exit.text);
}

#[test]
fn too_many_mistakes_are_cut_and_it_is_said() {
    let lines: Vec<String> = (0..=typed::MOST).map(|index| format!("key{index}: x")).collect();
    let mistakes = load(&lines.join("\n"), "x.yaml", None).unwrap_err();
    assert_eq!(mistakes.as_slice().len(), typed::MOST);
    assert!(mistakes.to_string().ends_with("x.yaml: more mistakes may follow; these are the first 100"));
}

/// The mistakes of a text of a toy type, which has secrets.
fn toy_mistakes(text: &str) -> String {
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Toy {
        credentials: Option<Credentials>,
    }
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Credentials {
        secret_key: Option<SecretRef>,
    }
    match Document::read(text) {
        Err(unreadable) => Mistakes::of_text("x.yaml", text, unreadable).to_string(),
        Ok(Document { value, mut found }) => {
            found.extend(typed::read::<Toy>(value).found);
            Mistakes::locate("x.yaml", text, &found).to_string()
        }
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    for secret in ["Hunter2", "12345678", "-12345678", "1234.5678", "99999999999999999999", "\"Hun ter2\""] {
        for shape in [
            "S",
            "[S]",
            "{S}",
            "{S: S}",
            "{? S}",
            "{secret_key: S}",
            "{secret_key: [S]}",
            "{secret_key: {S}}",
            "{secret_key: {S: S}}",
            "{secret_key: {env: [S]}}",
            "{secret_key: {value: S}}",
            "{secret_key: {env: X, S: S}}",
            "{secret_key: !env S}",
            "{secret_key: !!int S}",
            "!!bool S",
            "{secret_key: &S S, S: *S}",
            "{secret_key: S, secret_key: S}",
            "{secret_kye: S}",
            "{secret_key: \"S}",
            "{secret_key: S",
            "S: S: S",
            "{secret_key: *S}",
            "{<<: S}",
            "{S: 1, S: 2}",
            "|\n S\n S",
        ] {
            let text = format!("credentials: {}\n", shape.replace('S', secret));
            let told = toy_mistakes(&text);
            assert!(told.starts_with("x.yaml:"), "{text}");
            let bare = secret.trim_matches(['"', '-']);
            assert!(!told.contains(bare), "{text}{told}");
        }
    }
    assert_eq!(
        toy_mistakes("credentials: {secret_key: Hunter2}"),
        "x.yaml:1:27: credentials.secret_key: a secret does not belong in the file; write {env: NAME} or {file: PATH} \
         instead"
    );
}

#[test]
fn the_example_has_every_section_and_states_the_defaults() {
    let config = load(EXAMPLE, "example.yaml", None).unwrap();
    assert_eq!((config.poll, config.metrics), (Poll::default(), Metrics::default()));
    assert_eq!(config.counts(), Counts { accounts: 3, targets: 4, finders: 2 });
    assert_eq!(config.warnings(), []);
}

#[test]
fn every_target_has_the_same_label_names() {
    let mut config = load(EXAMPLE, "example.yaml", None).unwrap();
    for target in config.accounts.iter_mut().flat_map(|account| account.targets_mut()) {
        let names: Vec<&str> = target.labels.keys().map(|name| &**name).collect();
        assert_eq!(names, ["owner", "team"], "{}", target.key);
    }
}

#[test]
fn secrets_are_looked_for_when_there_is_an_environment() {
    let nothing = Environment::from_fn(|_| None);
    let mistakes = load(EXAMPLE, "example.yaml", Some(nothing)).unwrap_err().to_string();
    for name in
        ["TENCENTCLOUD_SECRET_ID", "/run/secrets/tencent_key", "ALIBABA_CLOUD_ACCESS_KEY_ID", "HUAWEICLOUD_SDK_AK"]
    {
        assert!(mistakes.contains(name), "{mistakes}");
    }
}

#[test]
fn a_secret_in_place_of_a_variable_is_not_shown() {
    let text = EXAMPLE.replace("{env: TENCENTCLOUD_SECRET_ID}", "{env: AKIDz8krbsJ5yKBZ}");
    let mistakes = load(&text, "example.yaml", Some(Environment::from_fn(|_| None))).unwrap_err().to_string();
    assert!(mistakes.contains("secret_id: the environment variable named here"), "{mistakes}");
    assert!(!mistakes.contains("AKIDz8krbsJ5yKBZ"), "{mistakes}");
}

#[test]
fn what_will_not_do_what_it_seems_to_is_a_warning_with_its_line() {
    let text = EXAMPLE.replace("interval: 1m", "interval: 1h");
    let config = load(&text, "example.yaml", None).unwrap();
    let warnings: Vec<String> = config.warnings().iter().map(|warning| warning.line("example.yaml")).collect();
    assert_eq!(
        warnings,
        [
            "example.yaml:16:16: poll.stale_after: tencent/prod/job-97zcl3wt/B is polled only every 1h, later than it counts \
             as stale (10m); make `stale_after` longer than every interval",
        ]
    );
}

#[test]
fn a_state_file_is_kept_where_the_config_says() {
    let text = EXAMPLE.replace("# state:\n#   path", "state:\n  path");
    let config = load(&text, "example.yaml", None).unwrap();
    assert_eq!(config.state_path.as_deref(), Some(Path::new("/var/lib/cloud-task-exporter/state")));
    assert_eq!(load(EXAMPLE, "example.yaml", None).unwrap().state_path, None);
}

/// The schema of what belongs to no cloud.
#[test]
fn the_schema_of_the_general_settings() {
    let mut schema = schema();
    let clouds = ["aliyun", "huawei", "tencent"];
    let properties = schema["properties"].as_object_mut().unwrap();
    properties.retain(|name, _| !clouds.contains(&name.as_str()));
    let definitions = schema["$defs"].as_object_mut().unwrap();
    definitions.retain(|name, _| ["Interval", "LabelValue", "Metrics", "Poll", "State"].contains(&name.as_str()));
    insta::assert_snapshot!(format!("{schema:#}"));
}

#[test]
fn the_schema_describes_every_setting_and_allows_no_other() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, object) in definitions.iter().chain([(&"File".to_owned(), &schema)]) {
        let Some(properties) = object.get("properties").and_then(|properties| properties.as_object()) else {
            continue;
        };
        assert_eq!(object["additionalProperties"], false, "{name}");
        for (key, property) in properties {
            assert!(property.get("description").is_some(), "{name}.{key}");
        }
    }
}

/// What of a value the schema does not allow, as far as our schema goes.
fn misfits(root: &Json, schema: &Json, value: &Json, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfits(root, root.pointer(reference.trim_start_matches('#')).unwrap(), value, path);
    }
    for choices in [&schema["anyOf"], &schema["oneOf"]].into_iter().filter_map(Json::as_array) {
        let all: Vec<_> = choices.iter().map(|choice| misfits(root, choice, value, path)).collect();
        if !all.iter().any(Vec::is_empty) {
            return all.concat();
        }
    }
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_u64() => "integer",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let is_kind = |name: &Json| name == kind || name == "number" && kind == "integer";
    let types = &schema["type"];
    let mut wrong = Vec::new();
    if !(types.is_null() || is_kind(types) || types.as_array().is_some_and(|types| types.iter().any(is_kind))) {
        wrong.push(format!("{path}: {kind} instead of {types}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        wrong.push(format!("{path}: {value} is none of {}", schema["enum"]));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(misfits(root, &schema["items"], item, &format!("{path}[{index}]")));
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        match schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]) {
            Json::Bool(false) => wrong.push(format!("{path}: unknown")),
            schema => wrong.extend(misfits(root, schema, item, &path)),
        }
    }
    wrong
}

#[test]
fn the_example_fits_the_schema() {
    let schema = schema();
    let read = |text: &str| serde_json::to_value(Document::read(text).unwrap().value).unwrap();
    assert_eq!(misfits(&schema, &schema, &read(EXAMPLE), ""), Vec::<String>::new());
    assert_eq!(
        misfits(&schema, &schema, &read("{poll: {intervall: 1s, timeout: [1]}, metrics: 5}"), ""),
        [
            ".metrics: integer instead of \"object\"",
            ".metrics: integer instead of \"null\"",
            ".poll.intervall: unknown",
            ".poll.timeout: array instead of \"string\"",
            ".poll.timeout: array instead of \"null\"",
            ".poll: object instead of \"null\"",
        ]
    );
}

/// A text near to a config: the example, or words of YAML, with some characters changed.
fn texts() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "poll:",
        "labels:",
        "tencent:",
        "- ",
        "interval: 0s",
        "account: a",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "!t ",
        "!!int ",
        "? ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "---\n",
        "...\n",
        "\"",
        "'",
        "|\n",
        "#",
        "\t",
        "\r",
        "é",
        "\u{85}",
        "\u{feff}",
        "\0",
        "~",
        "5",
        "-1e9",
        "%YAML 1.1\n",
    ]);
    let words = prop::collection::vec(word, 0..40).prop_map(|words| words.concat());
    let edits = prop::collection::vec((any::<Index>(), prop::option::of(any::<char>())), 0..6);
    let base = prop_oneof![Just(EXAMPLE.to_owned()), words, any::<String>()];
    (base, edits).prop_map(|(text, edits)| {
        let mut letters: Vec<char> = text.chars().collect();
        for (index, letter) in edits {
            let index = index.index(letters.len() + 1);
            match letter {
                Some(letter) => letters.insert(index, letter),
                None if index < letters.len() => drop(letters.remove(index)),
                None => {}
            }
        }
        letters.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn whatever_the_text_it_has_a_config_or_mistakes_within_it(text in texts()) {
        if let Err(mistakes) = load(&text, "x.yaml", None) {
            prop_assert!(!mistakes.as_slice().is_empty());
            let lines: Vec<&str> = text.lines().collect();
            for mistake in mistakes.as_slice() {
                let (line, column) = mistake.place.unwrap();
                prop_assert!((1..=lines.len().max(1)).contains(&line), "{mistake:?}");
                let length = lines.get(line - 1).map_or(0, |line| line.chars().count());
                prop_assert!((1..=length + 1).contains(&column), "{mistake:?}");
                prop_assert!(!mistake.text.contains('\n'));
            }
        }
    }
}
