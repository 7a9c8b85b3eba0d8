//! What things are called in the state file: the values that tell one from every other, as a JSON list.

use crate::metrics::Group;
use crate::model::{AccountKey, TaskKey};
use serde_json::json;
use std::sync::Arc;

/// A name in the state file.
pub(super) type Name = Arc<str>;

pub(super) fn of_task(key: &TaskKey) -> Name {
    of_account(&key.account, &key.task_id)
}

/// Of something of an account.
pub(super) fn of_account(AccountKey { provider, account }: &AccountKey, what: &str) -> Name {
    json!([provider.as_str(), &**account, what]).to_string().into()
}

pub(super) fn of_group(group: &Group) -> Name {
    json!(group.values()).to_string().into()
}

/// The id of a task, if the name is one of a task of that account.
pub(super) fn task_id(name: &str, AccountKey { provider, account }: &AccountKey) -> Option<Box<str>> {
    let (its_provider, its_account, id): (String, String, Box<str>) = serde_json::from_str(name).ok()?;
    (its_provider == provider.as_str() && *its_account == **account).then_some(id)
}
