//! The keys of the RAM role of the machine we run on, from its metadata service.
//!
//! Facts: <https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata>; the order of requests and what is
//! tried without a token are the SDK's.

use super::temporary::{check_status, read_flat};
use super::variables::{self, is_true, or_variable};
use crate::cloud::credentials::{Found, Source};
use crate::cloud::header::{secret_value, unsendable};
use crate::cloud::settings::{Endpoint, Environment, NearbyEndpoint};
use crate::cloud::{Answer, Client, Error};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Method, Request, StatusCode};
use std::time::Duration;

const ADDRESS: &str = "http://100.100.100.200";
const TOKEN_PATH: &str = "/latest/api/token";
const KEYS_PATH: &str = "/latest/meta-data/ram/security-credentials/";
/// The longest life a token can have, in seconds. Each fetch gets one of its own.
const TOKEN_LIFE: &str = "21600";
/// It is beside us or nowhere: the SDK waits one second to connect and one to read.
const LIMIT: Duration = Duration::from_secs(2);
const ASKED: &str = "the metadata service";

/// The metadata service.
#[derive(Debug)]
pub(super) struct InstanceRole {
    /// Left out: the variable's, else whichever the machine has.
    pub(super) role_name: Option<String>,
    pub(super) endpoint: Option<NearbyEndpoint>,
    /// Whether to do without the older way, which needs no token. Left out: as the variable says.
    pub(super) require_token: Option<bool>,
    pub(super) environment: Environment,
}

/// One fetch.
struct Fetch<'a> {
    client: &'a Client,
    endpoint: Endpoint,
    allows_v1: bool,
}

impl InstanceRole {
    /// The source of the default chain.
    pub(super) fn of_variables(environment: &Environment) -> Self {
        Self { role_name: None, endpoint: None, require_token: None, environment: environment.clone() }
    }

    async fn fetch(&self, client: &Client) -> Result<Found, Error> {
        if is_true(&self.environment, variables::ECS_METADATA_DISABLED) {
            return Ok(Found::Nothing(format!("{} is true", variables::ECS_METADATA_DISABLED)));
        }
        let require_token =
            self.require_token.unwrap_or_else(|| is_true(&self.environment, variables::IMDSV1_DISABLED));
        let fetch = Fetch { client, endpoint: self.endpoint()?, allows_v1: !require_token };
        let token = fetch.token().await?;
        let token = token.as_deref();
        let role = match or_variable(self.role_name.as_ref(), &self.environment, variables::ECS_METADATA) {
            Some(role) => role,
            None => match fetch.role_name(token).await? {
                Some(role) => role,
                None => return Ok(Found::Nothing("this machine has no RAM role".to_owned())),
            },
        };
        if let Some(flaw) = flaw_of_role(&role) {
            return Err(Error::new(Reason::Denied, flaw));
        }
        match fetch.get(&format!("{KEYS_PATH}{role}"), token).await? {
            Some(answer) => Ok(Found::Keys(read_flat(&answer, ASKED)?)),
            None => Err(Error::new(Reason::Denied, format!("this machine does not have the RAM role {role}"))),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.endpoint().clone());
        }
        let said = self.environment.get(variables::IMDS_ENDPOINT).map(|text| text.trim().to_owned());
        let text = said.map_or_else(|| ADDRESS.to_owned(), with_scheme);
        let wrong = |why: String| Error::new(Reason::Denied, format!("{}: {why}", variables::IMDS_ENDPOINT));
        NearbyEndpoint::try_from(text).map(|endpoint| endpoint.endpoint().clone()).map_err(wrong)
    }
}

fn with_scheme(text: String) -> String {
    if text.contains("://") { text } else { format!("http://{text}") }
}

/// What keeps a text from being a role's name and so the end of a path, if anything.
pub(super) fn flaw_of_role(name: &str) -> Option<&'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_step = matches!(name, "" | "." | "..");
    (is_step || name.len() > 64 || !name.bytes().all(fits))
        .then_some("this is no name of a RAM role; expected one such as exporter, not its ARN")
}

impl Source for InstanceRole {
    fn describe(&self) -> String {
        "the machine's RAM role".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.fetch(client).boxed()
    }
}

impl Fetch<'_> {
    /// A token for the requests that follow; none where the service gives none and can do without.
    async fn token(&self) -> Result<Option<String>, Error> {
        let request = Request::put(self.endpoint.url(TOKEN_PATH))
            .header("x-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_LIFE)
            .body(Bytes::new())
            .map_err(unsendable)?;
        let token = self.exchange(request).await.and_then(|answer| {
            let text = answer.as_ref().and_then(|answer| std::str::from_utf8(&answer.body).ok()).map(str::trim);
            let token = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
            token.map(str::to_owned).ok_or_else(|| Error::new(Reason::Denied, format!("{ASKED} gave no token")))
        });
        match token {
            Ok(token) => Ok(Some(token)),
            Err(_) if self.allows_v1 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The name of the machine's role; none where it has none.
    async fn role_name(&self, token: Option<&str>) -> Result<Option<String>, Error> {
        let Some(answer) = self.get(KEYS_PATH, token).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&answer.body);
        Ok(text.lines().next().map(|line| line.trim().to_owned()).filter(|name| !name.is_empty()))
    }

    /// A good answer, none where there is no such thing; where the token did not help, asked for once more without.
    async fn get(&self, path: &str, token: Option<&str>) -> Result<Option<Answer>, Error> {
        let result = self.exchange(self.request(path, token)?).await;
        match result {
            Err(_) if token.is_some() && self.allows_v1 => self.exchange(self.request(path, None)?).await,
            result => result,
        }
    }

    fn request(&self, path: &str, token: Option<&str>) -> Result<Request<Bytes>, Error> {
        let mut request = Request::builder().method(Method::GET).uri(self.endpoint.url(path));
        if let Some(token) = token {
            request = request.header("x-aliyun-ecs-metadata-token", secret_value(token)?);
        }
        request.body(Bytes::new()).map_err(unsendable)
    }

    /// A good answer; none for a 404, which is no failure of a task.
    async fn exchange(&self, request: Request<Bytes>) -> Result<Option<Answer>, Error> {
        let answer = self.client.fetch(request, LIMIT).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        check_status(&answer, ASKED)?;
        Ok(Some(answer))
    }
}
