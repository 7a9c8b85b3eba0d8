//! What the config sections of all clouds are made of: values that cannot be wrong, references to secrets, and the report
//! that gathers every mistake.
//!
//! Each cloud's own section is in its folder (`cloud/*/config.rs`). Nothing here reads YAML or the network.

mod common;
mod endpoint;
mod file;
mod outgoing;
mod report;
mod secret;
mod values;

pub use common::{Common, CommonFields, Defaults, TargetFields, join_labels};
pub(super) use endpoint::is_loopback;
pub use endpoint::{Endpoint, NearbyEndpoint};
pub(super) use file::read_text;
pub use outgoing::{Outgoing, TlsConfig};
pub use report::{Mistake, Report, Step};
pub use secret::{Environment, SecretRef, TextOrRef};
pub use values::{AccountName, GroupName, Interval, LabelName, LabelValue, Pattern, RateLimit, RegionName};
