//! The README says of the metrics what the catalogue says.

use cloud_task_exporter::metrics::catalogue;
use std::path::Path;

const BEGIN: &str = "<!-- metrics:begin -->\n";
const END: &str = "<!-- metrics:end -->";

/// `UPDATE_README=1 cargo test readme` writes the tables anew.
#[test]
fn the_readme_lists_the_metrics_of_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let wanted = catalogue::reference();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, wanted, "run UPDATE_README=1 cargo test --test it reference");
    }
}
