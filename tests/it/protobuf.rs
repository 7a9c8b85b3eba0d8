//! `/metrics` as protobuf, over the wire, read by a decoder that is not ours.

use crate::exposition::{self, MetricFamily, Sample};
use crate::fake::{FakeCloud, Reply};
use crate::harness::Exporter;

/// As Prometheus 2.42 asks with native histograms switched on.
const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
    application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
    text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

const CONFIG: &str = "tencent:
  - account: prod
    region: ap-guangzhou
    endpoint: ENDPOINT
    credentials: {secret_id: {env: KEY}, secret_key: {env: SECRET}}
    targets: [{job: job-97zcl3wt, tasks: [A], group: nightly-etl, labels: {owner: alice}}]
";

/// Content type and families of a scrape; `gzip`: compressed on its way.
fn scrape(exporter: &Exporter, gzip: bool) -> (String, Vec<MetricFamily>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().gzip(gzip).build().unwrap();
        let url = format!("http://{}/metrics", exporter.address());
        let answer = client.get(url).header("accept", ACCEPT).send().await.unwrap();
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, exposition::read(&answer.bytes().await.unwrap()))
    })
}

/// A sample of text whose label values hold neither quotes nor commas.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.strip_suffix('}').unwrap().split_once('{').unwrap();
    let pairs = labels.split(',').map(|pair| pair.split_once('=').unwrap());
    let labels = pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect();
    (name.to_owned(), labels, value.parse().unwrap())
}

/// Whether it is of a task or a group, and does not change from poll to poll.
fn is_steady(name: &str) -> bool {
    name.starts_with("cloud_task") && !name.starts_with("cloud_task_exporter_") && !name.contains("last_poll")
}

#[test]
fn protobuf_tells_what_text_tells() {
    let path = format!("{}/tests/data/replies/tencent/describe-task-2018.json", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read_to_string(path).unwrap();
    let cloud = FakeCloud::start(move |_| Reply::json(body.clone()));
    let exporter = Exporter::serve(&CONFIG.replace("ENDPOINT", &cloud.endpoint()));
    exporter.wait_for("cloud_task_poll_success", &[], 1.0);

    let text = exporter.metrics();
    let expected: Vec<Sample> = text.lines().filter(|line| is_steady(line)).map(sample).collect();
    for gzip in [false, true] {
        let (content_type, families) = scrape(&exporter, gzip);
        assert_eq!(
            content_type,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        );
        let found: Vec<Sample> = families.iter().flat_map(MetricFamily::samples).collect();
        let steady: Vec<Sample> = found.into_iter().filter(|(name, ..)| is_steady(name)).collect();
        assert_eq!(steady, expected);
    }
}

#[test]
fn every_histogram_is_native_too() {
    let path = format!("{}/tests/data/replies/tencent/describe-task-2018.json", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read_to_string(path).unwrap();
    let cloud = FakeCloud::start(move |_| Reply::json(body.clone()));
    let exporter = Exporter::serve(&CONFIG.replace("ENDPOINT", &cloud.endpoint()));
    exporter.wait_for("cloud_task_poll_success", &[], 1.0);

    let (_, families) = scrape(&exporter, true);
    let histograms = |name: &str| {
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.metric.iter().map(|metric| metric.histogram.clone().unwrap()).collect::<Vec<_>>()
    };
    for name in ["queue", "startup", "run"] {
        let found = histograms(&format!("cloud_task_instance_{name}_duration_seconds"));
        let [histogram] = &found[..] else { panic!("one task") };
        assert_eq!(
            (histogram.sample_count(), histogram.zero_count()),
            (2, if name == "queue" { 2 } else { 0 }),
            "{name}"
        );
        // A bucket is nine per cent wide: with all that is in it at its upper bound, the sum is little greater than it is.
        let sum: f64 =
            histogram.native().iter().map(|(bound, count)| bound * f64::from(u32::try_from(*count).unwrap())).sum();
        assert!(histogram.sample_sum() <= sum && histogram.sample_sum() >= sum / 1.0906, "{histogram:?}");
    }
    let [requests] = &histograms("cloud_task_exporter_api_request_duration_seconds")[..] else { panic!("one API") };
    assert_eq!((requests.bucket.len(), requests.schema()), (11, 3));
    assert!(requests.sample_count() >= 1);
    assert_eq!(histograms("cloud_task_duration_seconds").len(), 3, "of each outcome");
}
