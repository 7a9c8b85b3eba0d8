//! Discovery: from clusters to the ids of their tasks. It lists; it does not read tasks.

use super::Service;
use super::api::{DescribeClusterTasks, DescribeClustersV1, PAGE_SIZE, flaw_of_id};
use super::normalize::timestamp;
use super::wire::{ClusterTasks, Clusters, ListedCluster, ListedTask, PageInfo};
use crate::clock;
use crate::cloud::credentials::Keys;
use crate::cloud::{Error, Find, MAX_PAGES};
use crate::model::{AccountKey, Reason};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which tasks to find.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// In these clusters; in every cluster of the region where there is no list.
    pub(super) clusters: Option<Vec<Box<str>>>,
    /// The account's region.
    pub(super) region: Arc<str>,
    /// Made at most so long ago.
    pub(super) max_age: Option<Duration>,
    /// At most so many, the newest.
    pub(super) limit: usize,
}

/// Finds the tasks of an account that are wanted.
#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) service: Arc<Service>,
    pub(super) wanted: Wanted,
    /// Clusters that were gone at the last look: each is told of once.
    pub(super) gone: Mutex<HashSet<Box<str>>>,
}

/// A task of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    task_id: Box<str>,
    created: Option<Timestamp>,
}

impl Find for Discovery {
    fn find(&self) -> BoxFuture<'_, Result<Vec<Box<str>>, Error>> {
        Box::pin(async {
            let tasks = match &self.wanted.clusters {
                Some(clusters) => self.tasks_of(clusters).await?,
                None => self.tasks_of(&self.clusters_of_the_region().await?).await?,
            };
            Ok(self.wanted.choose(tasks, clock::now()))
        })
    }
}

impl Discovery {
    /// The tasks of these clusters. A cluster that is gone has none; only when all are gone is that an error.
    async fn tasks_of(&self, clusters: &[Box<str>]) -> Result<Vec<Found>, Error> {
        let mut tasks = Vec::new();
        let mut gone = Vec::new();
        for cluster in clusters {
            match self.tasks_of_one(cluster).await {
                Ok(found) => {
                    self.gone().remove(cluster);
                    tasks.extend(found);
                }
                Err(error) if error.reason() == Reason::NotFound => {
                    self.tell_gone(cluster, &error);
                    gone.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        match gone.pop() {
            Some(error) if gone.len() + 1 == clusters.len() => Err(error),
            _ => Ok(tasks),
        }
    }

    fn tell_gone(&self, cluster: &str, error: &Error) {
        if self.gone().insert(cluster.into()) {
            let AccountKey { provider, account } = self.service.client.account();
            tracing::warn!(%provider, account = %account, cluster_id = cluster, %error, "a cluster is gone; its tasks are not listed");
        }
    }

    fn gone(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tasks_of_one(&self, cluster_id: &str) -> Result<Vec<Found>, Error> {
        let mut list = Pages::default();
        for page in 1..=MAX_PAGES {
            let answer = self.service.tasks_of(cluster_id, page).await?;
            let rows = answer.tasks.unwrap_or_default();
            let rows = rows.iter().filter_map(found);
            if list.take(rows.map(|task| (task.task_id.clone(), task)), answer.page_info.as_ref()) {
                return Ok(list.items);
            }
        }
        Err(too_long(&format!("the list of tasks of the cluster {cluster_id}")))
    }

    async fn clusters_of_the_region(&self) -> Result<Vec<Box<str>>, Error> {
        let region = &*self.wanted.region;
        let mut list = Pages::default();
        for page in 1..=MAX_PAGES {
            let answer = self.service.clusters_of(region, page).await?;
            let rows = answer.clusters.unwrap_or_default().into_iter();
            let rows = rows.map(|cluster| (cluster.cluster_id.text().into(), cluster));
            if list.take(rows, answer.page_info.as_ref()) {
                return Ok(list.items.iter().filter_map(|cluster| of_region(cluster, region)).collect());
            }
        }
        Err(too_long("the list of clusters"))
    }
}

impl Service {
    async fn tasks_of(&self, cluster_id: &str, page: usize) -> Result<ClusterTasks, Error> {
        let ask = |keys: Arc<Keys>| async move {
            self.client.call(&DescribeClusterTasks { access: self.access(&keys), cluster_id, page }).await
        };
        self.keyring.with(&self.client, ask).await
    }

    async fn clusters_of(&self, region: &str, page: usize) -> Result<Clusters, Error> {
        let ask = |keys: Arc<Keys>| async move {
            self.client.call(&DescribeClustersV1 { access: self.access(&keys), region, page }).await
        };
        self.keyring.with(&self.client, ask).await
    }
}

impl Wanted {
    /// The ids of the newest tasks that are young enough. A task whose age nobody knows is taken, last of all.
    fn choose(&self, mut tasks: Vec<Found>, now: Timestamp) -> Vec<Box<str>> {
        let oldest =
            self.max_age.and_then(|age| SignedDuration::try_from(age).ok()).and_then(|age| now.checked_sub(age).ok());
        tasks.retain(|task| task.created.is_none_or(|created| oldest.is_none_or(|oldest| created >= oldest)));
        tasks.sort_by(|one, other| other.created.cmp(&one.created).then_with(|| one.task_id.cmp(&other.task_id)));
        tasks.dedup_by(|one, other| one.task_id == other.task_id);
        tasks.into_iter().take(self.limit).map(|task| task.task_id).collect()
    }
}

/// The rows of a list's pages, each once: rows move on to the next page when new ones come in between.
#[derive(Debug)]
struct Pages<Item> {
    items: Vec<Item>,
    seen: HashSet<Box<str>>,
}

impl<Item> Default for Pages<Item> {
    fn default() -> Self {
        Self { items: Vec::new(), seen: HashSet::new() }
    }
}

impl<Item> Pages<Item> {
    /// Takes a page's rows; whether it was the last. The list ends where its count is reached or a page is empty;
    /// without a count, where a page brings nothing new. The size of a page is no sign: a server may give less
    /// than asked for.
    fn take(&mut self, rows: impl Iterator<Item = (Box<str>, Item)>, info: Option<&PageInfo>) -> bool {
        let before = self.items.len();
        let mut is_empty = true;
        for (id, row) in rows {
            is_empty = false;
            if self.seen.insert(id) {
                self.items.push(row);
            }
        }
        let total: Option<usize> = info.and_then(|info| info.total_count.get()?.parse().ok());
        is_empty || total.map_or(self.items.len() == before, |total| self.items.len() >= total)
    }
}

fn found(task: &ListedTask) -> Option<Found> {
    let task_id = task.task_id.get().filter(|id| flaw_of_id(id).is_none())?;
    Some(Found { task_id: task_id.into(), created: timestamp(&task.created) })
}

/// The id of a cluster that is in the region and can have tasks: those of type `aliyun` are relics of a dead product.
fn of_region(cluster: &ListedCluster, region: &str) -> Option<Box<str>> {
    let is_here = cluster.region_id.get().is_none_or(|id| id.is_empty() || id == region);
    let id = cluster.cluster_id.get().filter(|id| flaw_of_id(id).is_none())?;
    (is_here && cluster.cluster_type.text() != "aliyun").then(|| id.into())
}

fn too_long(list: &str) -> Error {
    let message = format!("{list} has more than {MAX_PAGES} pages of {PAGE_SIZE}; name its tasks as targets instead");
    Error::new(Reason::Decode, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::aliyun::wire::{ClusterTasks, Clusters};

    fn wanted(max_age: Option<Duration>, limit: usize) -> Wanted {
        Wanted { clusters: None, region: "cn-hangzhou".into(), max_age, limit }
    }

    fn task(task_id: &str, second: Option<i64>) -> Found {
        Found { task_id: task_id.into(), created: second.map(|second| Timestamp::from_second(second).unwrap()) }
    }

    #[test]
    fn the_newest_are_chosen() {
        let now = Timestamp::from_second(1000).unwrap();
        let tasks = vec![task("old", Some(100)), task("ageless", None), task("b", Some(900)), task("a", Some(900))];
        let choose = |age: Option<u64>, limit| wanted(age.map(Duration::from_secs), limit).choose(tasks.clone(), now);
        assert_eq!(choose(None, 9), ["a", "b", "old", "ageless"].map(Box::from));
        assert_eq!(choose(None, 2), ["a", "b"].map(Box::from));
        assert_eq!(choose(Some(100), 9), ["a", "b", "ageless"].map(Box::from));
        assert_eq!(choose(Some(99), 9), ["ageless"].map(Box::from));
    }

    #[test]
    fn a_task_of_two_lists_is_found_once() {
        let tasks = vec![task("a", Some(1)), task("b", Some(1)), task("a", Some(1))];
        assert_eq!(wanted(None, 9).choose(tasks, Timestamp::UNIX_EPOCH), ["a", "b"].map(Box::from));
    }

    #[test]
    fn the_documented_list() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/replies/aliyun/tasks-of-a-cluster.json");
        let page: ClusterTasks = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let tasks: Vec<Found> = page.tasks.unwrap().iter().filter_map(found).collect();
        let created = Some("2022-08-03T02:11:33Z".parse().unwrap());
        assert_eq!(tasks, [Found { task_id: "install-addons-c3x".into(), created }]);
    }

    #[test]
    fn clusters_of_other_regions_and_dead_kinds_are_left_out() {
        let page: Clusters = serde_json::from_str(
            r#"{"clusters": [
                {"cluster_id": "here", "region_id": "cn-hangzhou", "cluster_type": "ManagedKubernetes"},
                {"cluster_id": "there", "region_id": "cn-beijing"},
                {"cluster_id": "swarm", "region_id": "cn-hangzhou", "cluster_type": "aliyun"},
                {"cluster_id": ".."}, {}, {"cluster_id": "silent"}
            ]}"#,
        )
        .unwrap();
        let clusters = page.clusters.unwrap();
        let ids: Vec<_> = clusters.iter().filter_map(|cluster| of_region(cluster, "cn-hangzhou")).collect();
        assert_eq!(ids, ["here", "silent"].map(Box::from));
    }

    #[test]
    fn a_list_ends_at_its_count_or_where_nothing_is_new() {
        let info = |count: &str| serde_json::from_str::<PageInfo>(&format!(r#"{{"total_count": {count}}}"#)).unwrap();
        let row = |id: &'static str| (Box::from(id), id);
        let mut pages = Pages::default();
        assert!(!pages.take([row("a"), row("b")].into_iter(), Some(&info("\"3\""))));
        // A new task in front moved a row on; the last is still to come.
        assert!(!pages.take([row("b")].into_iter(), Some(&info("3"))));
        assert!(pages.take([row("c")].into_iter(), Some(&info("3"))));
        assert_eq!(pages.items, ["a", "b", "c"]);
        let mut silent = Pages::default();
        assert!(!silent.take([row("a")].into_iter(), None));
        assert!(silent.take([row("a")].into_iter(), None), "a server that knows no pages answers the same for ever");
        assert!(Pages::take(&mut Pages::<&str>::default(), std::iter::empty(), Some(&info("9"))));
    }
}
