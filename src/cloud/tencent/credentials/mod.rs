//! Where an account's keys come from: the sources of Tencent Cloud's own tools, one file each, in the order of its SDKs.
//!
//! The order is that of `DefaultCredentialProvider` in `tencentcloud-sdk-python-common` 3.1 and in Node's SDK: environment,
//! profile, role of the CVM, pod of TKE. The SDKs do not read the files of `tccli`; these come after the SDKs' own. When
//! keys are asked for again is the keyring's business.

mod config;
mod instance_role;
mod oidc;
mod profile;
mod role;
mod sts;
mod tccli;
mod temporary;
mod values;

pub(super) use config::{Section as Credentials, check};

use crate::cloud::credentials::{Chain, Source, Variables};
use crate::cloud::settings::{Endpoint, Environment, NearbyEndpoint};
use instance_role::InstanceRole;
use oidc::Oidc;
use profile::Profile;
use tccli::Tccli;

const METADATA: &str = "http://metadata.tencentyun.com";
const STS: &str = "sts.tencentcloudapi.com";

/// What sources look at and ask.
#[derive(Clone, Debug)]
struct Surroundings {
    environment: Environment,
    metadata: NearbyEndpoint,
    sts: Endpoint,
}

impl Surroundings {
    /// The vendor's own services where no others are named. None if their addresses are not well formed, which they are.
    fn new(environment: Environment, metadata: Option<NearbyEndpoint>, sts: Option<Endpoint>) -> Option<Self> {
        let metadata = metadata.or_else(|| NearbyEndpoint::try_from(METADATA.to_owned()).ok())?;
        let sts = sts.or_else(|| Endpoint::https(STS).ok())?;
        Some(Self { environment, metadata, sts })
    }

    fn variables(&self) -> Variables {
        Variables {
            id: "TENCENTCLOUD_SECRET_ID",
            secret: "TENCENTCLOUD_SECRET_KEY",
            // Node's SDK, the command line and Terraform each have a name of their own for it.
            token: &["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"],
            environment: self.environment.clone(),
        }
    }

    fn default_chain(&self) -> Chain {
        let sources: Vec<Box<dyn Source>> = vec![
            Box::new(self.variables()),
            Box::new(Profile { file: None, environment: self.environment.clone() }),
            Box::new(Tccli { profile: None, folder: None, surroundings: self.clone() }),
            Box::new(InstanceRole { role_name: None, metadata: self.metadata.clone() }),
            Box::new(Oidc::from_variables(self)),
        ];
        Chain::new(sources)
    }
}

#[cfg(test)]
mod tests;
