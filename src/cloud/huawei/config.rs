//! Placeholder until the cloud's own branch lands.

use crate::cloud::Prepared;
use crate::cloud::settings::{Defaults, Report};
use schemars::JsonSchema;
use serde::Deserialize;

/// One account of the config file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    account: Option<String>,
}

impl Section {
    /// Checks the section; mistakes go to the report, which is at the section.
    pub fn check(self, _defaults: &mut Defaults, report: &mut Report) -> Option<Box<dyn Prepared>> {
        report.required("account", self.account, "prod");
        None
    }
}
