//! Keys in the file of the vendor's SDKs: an access key, or an identity provider and the file of its token, which go before
//! it.
//!
//! As `ProfileCredentialProvider` of `huaweicloudsdkcore` 3.1.219 reads it, with Python's `configparser`: names of keys in
//! any case, a section `DEFAULT` that all others fall back to, and `%%` for a `%`. Nothing of its content gets into an
//! error.

use super::federation::Federated;
use super::{Said, Surroundings, key, project_id};
use crate::cloud::credentials::{Found, Given, Keys, Source, Stamp, home, ini, read_file};
use crate::cloud::settings::Endpoint;
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const FILE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
/// The section for services of a region, such as CCE.
const SECTION: &str = "basic";

/// The file, which may be left to the variables.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) file: Option<PathBuf>,
    pub(super) surroundings: Surroundings,
}

/// The values of the section, and where they stand.
struct Values<'a> {
    path: &'a Path,
    values: HashMap<String, String>,
}

impl Profile {
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let Some(path) = self.path() else {
            return Ok(Found::Nothing(format!("neither {FILE} nor HOME is set")));
        };
        let Some((text, stamp)) = read_file(&path)? else {
            return Ok(Found::Nothing("there is no such file".to_owned()));
        };
        let sections = ini(&path, &text)?;
        let Some(values) = Values::of(&path, sections) else {
            return Ok(Found::Nothing(format!("it has no section [{SECTION}]")));
        };
        self.read(&values, stamp, client).await
    }

    fn path(&self) -> Option<PathBuf> {
        let environment = &self.surroundings.environment;
        let named = || environment.get(FILE).map(PathBuf::from);
        let usual = || home(environment).map(|home| home.join(".huaweicloud").join("credentials"));
        self.file.clone().or_else(named).or_else(usual)
    }

    async fn read(&self, values: &Values<'_>, stamp: Stamp, client: &Client) -> Result<Found, Error> {
        let iam = if self.surroundings.iam_is_given { None } else { values.iam()? };
        let given = if let Some((idp_id, file)) = values.get("idp_id")?.zip(values.get("id_token_file")?) {
            let iam = iam.as_ref().unwrap_or(&self.surroundings.site.iam);
            let federated = Federated { iam, idp_id: &idp_id, id_token_file: Path::new(&file), duration: None };
            federated.keys(client).await?
        } else if let Some(keys) = values.access_key()? {
            Given::lasting(keys)
        } else {
            let what = format!("[{SECTION}] has neither `ak` and `sk` nor `idp_id` and `id_token_file`");
            return Ok(Found::Nothing(what));
        };
        let project = values.get("project_id")?;
        let project_id = project.map(|id| project_id(&values.says("is wrong: `project_id`"), &id)).transpose()?;
        self.surroundings.aside.note(Said { project_id, iam });
        Ok(Found::Keys(given.read_from([stamp])))
    }
}

impl<'a> Values<'a> {
    fn of(path: &'a Path, mut sections: HashMap<String, HashMap<String, String>>) -> Option<Self> {
        let own = sections.remove(SECTION)?;
        let common = sections.remove("DEFAULT").unwrap_or_default();
        let values = common.into_iter().chain(own).map(|(name, value)| (name.to_lowercase(), value)).collect();
        Some(Self { path, values })
    }

    /// A value that is there and not empty.
    fn get(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = self.values.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        let plain = value.replace("%%", "");
        if plain.contains('%') {
            let message = self.says(&format!("is wrong: `{name}` has a single `%`; expected `%%` for each"));
            return Err(Error::new(Reason::Denied, message));
        }
        Ok(Some(value.replace("%%", "%")))
    }

    fn access_key(&self) -> Result<Option<Keys>, Error> {
        let part = |name: &str| {
            self.get(name)?.map(|value| key(&self.says(&format!("is wrong: `{name}`")), &value)).transpose()
        };
        let Some((id, secret)) = part("ak")?.zip(part("sk")?) else { return Ok(None) };
        Ok(Some(Keys { id, secret, token: part("security_token")? }))
    }

    fn iam(&self) -> Result<Option<Endpoint>, Error> {
        let Some(address) = self.get("iam_endpoint")? else { return Ok(None) };
        Endpoint::try_from(address).map(Some).map_err(|_| {
            let expected = "is wrong: `iam_endpoint` is no address; expected one such as https://iam.myhuaweicloud.com";
            Error::new(Reason::Denied, self.says(expected))
        })
    }

    fn says(&self, what: &str) -> String {
        format!("[{SECTION}] of the file {} {what}", self.path.display())
    }
}

impl Source for Profile {
    fn describe(&self) -> String {
        match self.path() {
            Some(path) => format!("the profile {}", path.display()),
            None => "the profile".to_owned(),
        }
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}
