//! What a source of keys says beside them. What the config says goes before it.

use crate::cloud::settings::Endpoint;
use std::sync::{Arc, Mutex, PoisonError};

/// What the sources of one account said last.
#[derive(Debug, Default)]
pub(in crate::cloud::huawei) struct Aside {
    said: Mutex<Said>,
}

/// What a source may say.
#[derive(Clone, Debug, Default)]
pub(in crate::cloud::huawei) struct Said {
    /// The project to ask in.
    pub(in crate::cloud::huawei) project_id: Option<Arc<str>>,
    /// Where IAM is.
    pub(in crate::cloud::huawei) iam: Option<Endpoint>,
}

impl Aside {
    /// Takes the place of what was said before.
    pub(super) fn note(&self, said: Said) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    /// What was said last.
    pub(in crate::cloud::huawei) fn said(&self) -> Said {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
