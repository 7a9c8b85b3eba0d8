//! The environment variables of the vendor's SDKs and tools.

use crate::cloud::settings::Environment;

pub(super) const ACCESS_KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
pub(super) const ACCESS_KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
pub(super) const SECURITY_TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";
pub(super) const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
pub(super) const ROLE_SESSION_NAME: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";
pub(super) const OIDC_PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
pub(super) const OIDC_TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
pub(super) const STS_REGION: &str = "ALIBABA_CLOUD_STS_REGION";
pub(super) const VPC_ENDPOINT_ENABLED: &str = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";
/// The profile of both files.
pub(super) const PROFILE: &str = "ALIBABA_CLOUD_PROFILE";
pub(super) const CLI_PROFILE_DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
/// Read by the Go SDK only.
pub(super) const CONFIG_FILE: &str = "ALIBABA_CLOUD_CONFIG_FILE";
pub(super) const CREDENTIALS_FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
pub(super) const ECS_METADATA: &str = "ALIBABA_CLOUD_ECS_METADATA";
pub(super) const ECS_METADATA_DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
pub(super) const IMDSV1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
pub(super) const CREDENTIALS_URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
/// Read by the vendor's command-line tools, not by its SDKs.
pub(super) const STS_ENDPOINT: &str = "ALIBABA_CLOUD_STS_ENDPOINT";
/// Read by the vendor's command-line tools, not by its SDKs.
pub(super) const IMDS_ENDPOINT: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";

/// Whether a variable says `true`, in any case.
pub(super) fn is_true(environment: &Environment, name: &str) -> bool {
    environment.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// What was said, or else what a variable says; none where nothing is said, or nothing but blanks.
pub(super) fn or_variable(said: Option<&String>, environment: &Environment, name: &str) -> Option<String> {
    let said = said.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    said.or_else(|| environment.get(name).map(|text| text.trim().to_owned()))
}
