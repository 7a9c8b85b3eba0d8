//! The state file: whatever becomes of its bytes, it is refused with a reason that names it, or read as it was written.
//!
//! An input is what is done to a good file: three bytes an edit, two for the place and one to be put there, with the first
//! byte's highest bit for an end of the file at that place.
#![no_main]

use cloud_task_exporter::cloud::tencent::read_answer;
use cloud_task_exporter::metrics::Own;
use cloud_task_exporter::model::{AccountKey, Labels, Provider, Target, TaskKey};
use cloud_task_exporter::store::{Keeper, Rules, Saved, StateFile, Store};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const ANSWER: &[u8] = include_bytes!("../../benches/three-instances.json");

/// A good file: where it is, what it holds byte by byte, and what is read out of it.
static GOOD: LazyLock<(PathBuf, Vec<u8>, Saved)> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-state-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the file");
    let path = folder.join("state");
    let (file, saved) = StateFile::open(&path, false, now()).expect("a new file");
    let store = Arc::new(Store::restored(rules(), Arc::new(Own::new().expect("the catalogue is consistent")), saved));
    for number in 0..20 {
        let target = target(number);
        store.add(&target);
        let reading = read_answer("job-97zcl3wt/A", &laws::answer(200, ANSWER)).expect("a good answer");
        store.record(&target.key, Ok(reading), now());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert!(runtime.block_on(Arc::new(Keeper::new(store, file, now)).write()), "the file can be written");
    drop(runtime);
    let bytes = std::fs::read(&path).expect("the file that was written");
    (path.clone(), bytes, read(&path).expect("a good file"))
});

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("an instant")
}

fn rules() -> Rules {
    Rules {
        stale_after: Duration::from_secs(600),
        not_found_grace: Duration::ZERO,
        final_recheck: Duration::ZERO,
        instance_histograms: true,
        series_limit: 1000,
    }
}

fn target(number: usize) -> Arc<Target> {
    let account = AccountKey { provider: Provider::new("tencent"), account: "prod".into() };
    Arc::new(Target {
        key: TaskKey { account, task_id: format!("job-{number:08}/A").into() },
        cloud_region: "ap-guangzhou".into(),
        group: "default".into(),
        labels: Arc::new(Labels::new()),
        interval: Duration::from_secs(30),
    })
}

fn read(path: &Path) -> Result<Saved, String> {
    StateFile::open(path, false, now()).map(|(_, saved)| saved).map_err(|error| error.to_string())
}

/// The bytes after the edits.
fn edited(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0] & 0x7f, edit[1]])) * good.len() / 0x8000;
        if edit[0] & 0x80 != 0 {
            bytes.truncate(place);
        } else if let Some(byte) = bytes.get_mut(place) {
            *byte = edit[2];
        }
    }
    bytes
}

fuzz_target!(
    // redb's panics are caught where the file is read, so a panic does not end the fuzzer at once; one that is caught nowhere
    // does all the same.
    init: std::panic::set_hook(Box::new(|panic| {
        if panic.location().is_some_and(|place| place.file().contains("fuzz_targets")) {
            eprintln!("{panic}");
        }
    })),
    |edits: &[u8]| {
        let (path, good, saved) = &*GOOD;
        std::fs::write(path, edited(good, edits)).expect("the file can be written");
        match read(path) {
            Ok(read) => assert!(read == *saved, "something else was read than was written"),
            Err(error) => assert!(error.contains(&path.display().to_string()), "which file is it? {error}"),
        }
    }
);
