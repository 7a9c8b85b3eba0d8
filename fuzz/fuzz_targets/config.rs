//! The text of a config file: it is taken, or every mistake is told with a place that is in the text.
#![no_main]

use cloud_task_exporter::config::{Located, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match load(text, "fuzz.yaml", None) {
        Ok(config) => config.warnings().iter().for_each(|warning| in_the_text(text, warning)),
        Err(mistakes) => {
            assert!(!mistakes.as_slice().is_empty(), "refused, and nothing is wrong");
            mistakes.as_slice().iter().for_each(|mistake| in_the_text(text, mistake));
            let cut = usize::from(mistakes.to_string().contains("more mistakes may follow"));
            assert_eq!(mistakes.to_string().lines().count(), mistakes.as_slice().len() + cut, "a mistake is a line");
        }
    }
});

fn in_the_text(text: &str, located: &Located) {
    let (line, column) = located.place.expect("a mistake in a text has a place");
    laws::has_place(text, line, column);
    assert!(!located.text.is_empty() && !located.text.contains(char::is_control), "{:?}", located.text);
}
