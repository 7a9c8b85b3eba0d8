//! `demo`: simulated clouds on loopback, and the exporter that polls them by its ordinary code path.

use super::{GRACE, Reloading, Start, open_state, run as run_exporter};
use crate::clock;
use crate::cloud::settings::Environment;
use crate::config;
use crate::demo::world::World;
use crate::demo::{self, Simulator, aliyun, huawei, tencent};
use crate::server::security::Security;
use anyhow::Context;
use jiff::SignedDuration;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The config of the demo; the ports of the simulated clouds are put in when they are known.
const CONFIG: &str = include_str!("../../config/demo.yaml");
/// What the crowded one of them takes.
const REQUESTS_PER_SECOND_OF_CROWDED: u32 = 1;
/// What the others take per second and API; the config stays below it.
const REQUESTS_PER_SECOND: u32 = 20;
/// The world has a past when the demo starts.
const PAST: SignedDuration = SignedDuration::from_mins(10);
const SEED: u64 = 10_417;

/// Where the simulated clouds listen.
struct Clouds {
    tencent: SocketAddr,
    /// Another Tencent Cloud, whose quota is too small.
    crowded: SocketAddr,
    aliyun: SocketAddr,
    huawei: SocketAddr,
}

/// Runs the simulated clouds and the exporter until `stop`. `over_http`: whether the config, which stays the same, can be
/// loaded anew over HTTP.
///
/// # Errors
/// When no port is to be had, or the exporter cannot be set up.
pub async fn run(
    over_http: bool,
    security: Arc<Security>,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let tracker = TaskTracker::new();
    let now = clock::now();
    let world = World::new(SEED, now.checked_sub(PAST).unwrap_or(now));
    let limit = REQUESTS_PER_SECOND;
    let clouds = Clouds {
        tencent: start(Arc::new(tencent::Tencent::new(world.clone(), limit)), &tracker, &stop).await?,
        crowded: start(Arc::new(tencent::Tencent::new(world.clone(), REQUESTS_PER_SECOND_OF_CROWDED)), &tracker, &stop)
            .await?,
        aliyun: start(Arc::new(aliyun::Aliyun::new(world.clone(), limit)), &tracker, &stop).await?,
        huawei: start(Arc::new(huawei::Huawei::new(world, limit)), &tracker, &stop).await?,
    };
    let directory = tempfile::Builder::new().prefix("cloud-task-exporter-demo-").tempdir();
    let directory =
        directory.context("the demo keeps its state file in a temporary directory; TMPDIR may name another")?;
    let text = clouds.config(directory.path());
    let load = move || config::load(&text, "config/demo.yaml", Some(environment()));
    let config = load()?;
    let reloading = Reloading { load: Arc::new(move || load().map_err(|mistakes| mistakes.to_string())), over_http };
    let address = listener.local_addr().context("the listening address is not known")?;
    std::io::stdout()
        .write_all(clouds.where_to_look(address, security.is_tls()).as_bytes())
        .context("stdout is closed")?;
    let state = open_state(&config, false)?;
    let start = Start { config, state, reloading, security };
    let result = run_exporter(start, listener, stop.clone()).await;
    stop.cancel();
    tracker.close();
    // The simulated clouds have nothing to lose.
    drop(tokio::time::timeout(GRACE, tracker.wait()).await);
    result
}

async fn start(
    cloud: Arc<dyn Simulator>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = super::listen(&[("127.0.0.1".to_owned(), 0)]).await?;
    let address = listener.local_addr().context("the address of a simulated cloud is not known")?;
    tracker.spawn(demo::serve(listener, cloud, tracker.clone(), stop.clone()));
    Ok(address)
}

/// The environment the demo's config refers to: the keys of the simulated clouds, which are no secrets.
fn environment() -> Environment {
    Environment::from_fn(|name| {
        let value = match name {
            "DEMO_TENCENT_SECRET_ID" => tencent::SECRET_ID,
            "DEMO_TENCENT_SECRET_KEY" => tencent::SECRET_KEY,
            "DEMO_REVOKED_SECRET_ID" => "AKIDrevokedrevokedrevokedrevoked0000",
            "DEMO_ALIYUN_ACCESS_KEY_ID" => aliyun::ACCESS_KEY_ID,
            "DEMO_ALIYUN_ACCESS_KEY_SECRET" => aliyun::ACCESS_KEY_SECRET,
            "DEMO_HUAWEI_ACCESS_KEY" => huawei::ACCESS_KEY,
            "DEMO_HUAWEI_SECRET_KEY" => huawei::SECRET_KEY,
            "DEMO_HUAWEI_PASSWORD" => huawei::PASSWORD,
            _ => return None,
        };
        Some(value.to_owned())
    })
}

impl Clouds {
    fn config(&self, directory: &Path) -> String {
        CONFIG
            // The path of a temporary directory may hold anything; in single quotes YAML takes all but these.
            .replace("/STATE_DIRECTORY", &directory.display().to_string().replace('\'', "''"))
            .replace("127.0.0.1:CROWDED", &self.crowded.to_string())
            .replace("127.0.0.1:TENCENT", &self.tencent.to_string())
            .replace("127.0.0.1:ALIYUN", &self.aliyun.to_string())
            .replace("127.0.0.1:HUAWEI", &self.huawei.to_string())
    }

    fn where_to_look(&self, address: SocketAddr, is_tls: bool) -> String {
        let Self { tencent, aliyun, huawei, .. } = self;
        let scheme = if is_tls { "https" } else { "http" };
        let port = address.port();
        let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        format!(
            "cloud-task-exporter {version}: demo with three simulated clouds; stop with Ctrl-C\n\n\
             metrics   {scheme}://{host}:{port}/metrics\n\
             page      {scheme}://{host}:{port}/\n\
             tencent   http://{tencent}   region {}   secret_id {}   secret_key {}\n\
             aliyun    http://{aliyun}   region {}   access_key_id {}   access_key_secret {}\n\
             huawei    http://{huawei}   region {}   access_key {}   secret_key {}   project_id {}   user_name {}   password {}   domain {}\n\n",
            tencent::REGION,
            tencent::SECRET_ID,
            tencent::SECRET_KEY,
            aliyun::REGION,
            aliyun::ACCESS_KEY_ID,
            aliyun::ACCESS_KEY_SECRET,
            huawei::REGION,
            huawei::ACCESS_KEY,
            huawei::SECRET_KEY,
            huawei::PROJECT_ID,
            huawei::USER_NAME,
            huawei::PASSWORD,
            huawei::DOMAIN,
            version = super::VERSION,
        )
    }
}
