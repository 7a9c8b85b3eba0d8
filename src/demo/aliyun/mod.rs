//! Alibaba Cloud Container Service, simulated: DescribeTaskInfo, DescribeClusterTasks and DescribeClustersV1; and beside it
//! what gives keys for it: the security token service, a machine's metadata service and a credentials URI.
//!
//! This file answers; `gateway` decides who is answered at all, `tasks` what there is to tell.

mod gateway;
mod keys;
mod metadata;
mod sts;
mod tasks;

pub use metadata::ROLE_NAME;
pub use sts::{OIDC_PROVIDER_ARN, OIDC_TOKEN, ROLE_ARN};

use super::http::{Answered, Asked, Simulator};
use super::world::World;
use crate::cloud::aliyun::sign::VERSION;
use gateway::{Gateway, Refusal};
use http::Method;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The one access key there is.
pub const ACCESS_KEY_ID: &str = "LTAI5tDemoAccessKeyId001";
/// Its secret.
pub const ACCESS_KEY_SECRET: &str = "DemoAccessKeySecretOfAliyun001";
/// The one region there is.
pub const REGION: &str = "cn-hangzhou";
/// Its clusters.
pub const CLUSTER_IDS: [&str; 2] = ["c78592bfe92244365b3c3ad47f1de0001", "c3f0e1d2c4b5a69788796a5b4c3d20002"];
/// A task that is always there, in the first cluster; it begins again every few minutes.
pub const TASK_ID: &str = "T-5faa48fb31b6b8078d000006";

const DEFAULT_PAGE_SIZE: usize = 10;
const LARGEST_PAGE_SIZE: usize = 100;

/// The simulated cloud.
#[derive(Debug)]
pub struct Aliyun {
    world: World,
    gateway: Gateway,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Task(String),
    Tasks(String),
    Clusters,
}

/// A page of a list.
#[derive(Debug)]
struct Page {
    number: usize,
    size: usize,
}

impl Aliyun {
    /// A cloud that tells of the stream `aliyun` of the world and takes so many requests per second for each action.
    pub fn new(world: World, per_second: u32) -> Self {
        Self { world, gateway: Gateway::new(per_second) }
    }

    fn respond(&self, request: &Asked, now: Timestamp) -> Result<Answered, Refusal> {
        if request.path == "/" {
            return sts::answer(&self.gateway, request, now);
        }
        if let Some(answered) = metadata::answer(request, now) {
            return Ok(answered);
        }
        let route = Route::of(request)?;
        self.gateway.admit(request, (route.action(), VERSION), now)?;
        let parameters = parameters(request, route.parameters())?;
        match route {
            Route::Task(task_id) => self.task(&task_id, now),
            Route::Tasks(cluster_id) => self.tasks(&cluster_id, &Page::of(&parameters)?, now),
            Route::Clusters => {
                let region = parameters.get("region_id").map(String::as_str);
                Ok(clusters(region, &Page::of(&parameters)?, now))
            }
        }
    }

    fn task(&self, task_id: &str, now: Timestamp) -> Result<Answered, Refusal> {
        let task = tasks::all(&self.world, now).into_iter().find(|task| task.id == task_id);
        let task = task.ok_or_else(|| Refusal::of_service(400, "400", format!("the task {task_id} not found")))?;
        Ok(Answered::json(200, &task.info(now)))
    }

    fn tasks(&self, cluster_id: &str, page: &Page, now: Timestamp) -> Result<Answered, Refusal> {
        if !CLUSTER_IDS.contains(&cluster_id) {
            let message = format!("the cluster {cluster_id} does not exist");
            return Err(Refusal::of_service(404, "ErrorClusterNotFound", message));
        }
        let mut tasks = tasks::all(&self.world, now);
        tasks.retain(|task| task.cluster_id == cluster_id);
        tasks.sort_by_key(|task| std::cmp::Reverse(task.job.submitted));
        let rows: Vec<Value> = tasks.iter().map(|task| task.row(now)).collect();
        Ok(page.answer("tasks", &rows))
    }
}

impl Simulator for Aliyun {
    fn answer(&self, request: &Asked, now: Timestamp) -> Answered {
        let answered = self.respond(request, now).unwrap_or_else(|refusal| refusal.answer(request));
        answered.dated(now)
    }
}

impl Route {
    fn of(request: &Asked) -> Result<Self, Refusal> {
        let segments: Vec<String> = request.path.split('/').skip(1).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let route = match segments.as_slice() {
            ["tasks", task_id] if !task_id.is_empty() => Self::Task((*task_id).to_owned()),
            ["clusters", cluster_id, "tasks"] => Self::Tasks((*cluster_id).to_owned()),
            ["api", "v1", "clusters"] => Self::Clusters,
            _ => return Err(Refusal::of_gateway(404, "InvalidApi.NotFound", "Specified api is not found.")),
        };
        if request.method == Method::GET {
            Ok(route)
        } else {
            Err(Refusal::of_gateway(403, "UnsupportedHTTPMethod", "This http method is not supported."))
        }
    }

    const fn action(&self) -> &'static str {
        match self {
            Self::Task(_) => "DescribeTaskInfo",
            Self::Tasks(_) => "DescribeClusterTasks",
            Self::Clusters => "DescribeClustersV1",
        }
    }

    const fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Task(_) => &[],
            Self::Tasks(_) => &["page_number", "page_size"],
            Self::Clusters => &["page_number", "page_size", "region_id"],
        }
    }
}

impl Page {
    fn of(parameters: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let read = |name: &str, default: usize, largest: usize| {
            let Some(text) = parameters.get(name) else { return Ok(default) };
            let number = text.parse().ok().filter(|number| (1..=largest).contains(number));
            number.ok_or_else(|| Refusal::of_service(400, "InvalidParameter", format!("invalid {name}: {text}")))
        };
        Ok(Self {
            number: read("page_number", 1, usize::MAX)?,
            size: read("page_size", DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)?,
        })
    }

    fn answer(&self, name: &str, rows: &[Value]) -> Answered {
        let from = (self.number - 1).saturating_mul(self.size);
        let page: Vec<&Value> = rows.iter().skip(from).take(self.size).collect();
        let info = json!({"page_number": self.number, "page_size": self.size, "total_count": rows.len()});
        Answered::json(200, &json!({name: page, "page_info": info}))
    }
}

fn clusters(region: Option<&str>, page: &Page, now: Timestamp) -> Answered {
    let rows: Vec<Value> = CLUSTER_IDS
        .iter()
        .enumerate()
        .filter(|_| region.is_none_or(|region| region == REGION))
        .map(|(index, cluster_id)| tasks::cluster(cluster_id, index, now))
        .collect();
    page.answer("clusters", &rows)
}

/// The parameters of a query; one that the action does not have is refused.
fn parameters(request: &Asked, known: &[&str]) -> Result<BTreeMap<String, String>, Refusal> {
    let parameters: BTreeMap<String, String> = request.parameters().into_iter().collect();
    match parameters.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::of_service(400, "InvalidParameter", format!("unknown parameter {name}"))),
        None => Ok(parameters),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
