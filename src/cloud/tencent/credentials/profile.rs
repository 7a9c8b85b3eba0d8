//! Keys in the SDKs' profile file, as `ProfileCredential` of the vendor's Python and Node SDKs reads it.

use crate::cloud::credentials::{Found, Given, Keys, Source, home, ini, read_file};
use crate::cloud::settings::Environment;
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use secrecy::SecretString;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Names another file, for Go's SDK.
const VARIABLE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";
/// Below the home directory.
const IN_HOME: &str = ".tencentcloud/credentials";
const OF_SYSTEM: &str = "/etc/tencentcloud/credentials";
/// The only section the SDKs read.
const SECTION: &str = "default";

/// A file with a section `[default]`.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// None for the vendor's own places.
    pub(super) file: Option<PathBuf>,
    pub(super) environment: Environment,
}

impl Profile {
    /// Where the file may be: the first that exists counts.
    fn places(&self) -> Vec<PathBuf> {
        let named = self.file.clone().or_else(|| self.environment.get(VARIABLE).map(PathBuf::from));
        match named {
            Some(file) => vec![file],
            None => {
                home(&self.environment).map(|home| home.join(IN_HOME)).into_iter().chain([OF_SYSTEM.into()]).collect()
            }
        }
    }

    fn read(&self) -> Result<Found, Error> {
        let places = self.places();
        for path in &places {
            if let Some((text, stamp)) = read_file(path)? {
                return Ok(Found::Keys(Given::lasting(keys(path, &text)?).read_from([stamp])));
            }
        }
        let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        Ok(Found::Nothing(format!("there is no file {}", places.join(" or "))))
    }
}

fn keys(path: &Path, text: &str) -> Result<Keys, Error> {
    let sections = ini(path, text)?;
    let Some(section) = sections.get(SECTION) else {
        let path = path.display();
        let message = format!("the file {path} has no section [{SECTION}], the only one the vendor's SDKs read");
        return Err(Error::new(Reason::Denied, message));
    };
    let required = |name: &str| {
        let missing = || Error::new(Reason::Denied, format!("{name} is missing in [{SECTION}] of {}", path.display()));
        value(path, section, name)?.ok_or_else(missing)
    };
    Ok(Keys { id: required("secret_id")?, secret: required("secret_key")?, token: value(path, section, "token")? })
}

/// A value by its name, in which Python's SDK does not mind capitals, without the quotes that Node's takes off.
fn value(path: &Path, section: &HashMap<String, String>, name: &str) -> Result<Option<SecretString>, Error> {
    let found = section.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    let bare = found.map(|(_, value)| unquoted(value.trim())).filter(|value| !value.is_empty());
    match bare {
        Some(value) if !value.bytes().all(|byte| byte.is_ascii_graphic()) => {
            let path = path.display();
            let message = format!("{name} in {path} has a blank or another character that no key has");
            Err(Error::new(Reason::Denied, message))
        }
        bare => Ok(bare.map(SecretString::from)),
    }
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text).trim()
}

impl Source for Profile {
    fn describe(&self) -> String {
        "the SDKs' profile".to_owned()
    }

    fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        async move { self.read() }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(text: &str) -> Result<[Option<String>; 3], String> {
        let plain = |secret: SecretString| secret.expose_secret().to_owned();
        keys(Path::new("/f"), text)
            .map(|Keys { id, secret, token }| [Some(plain(id)), Some(plain(secret)), token.map(plain)])
            .map_err(|error| crate::cloud::chain(&error))
    }

    #[test]
    fn what_the_sdks_take_is_taken() {
        let some = |text: &str| Some(text.to_owned());
        for (text, token) in [
            ("[default]\nsecret_id = AKIDx\nsecret_key = k=#;y\n", None),
            ("# by hand\n[other]\nsecret_id=no\n[default]\nSecret_Id: AKIDx\nsecret_key: k=#;y\nrole_arn = x\n", None),
            ("[default]\r\nsecret_id=\"AKIDx\"\r\nsecret_key='k=#;y'\r\ntoken=\"\"\r\n", None),
            ("[default]\nsecret_id=AKIDx\nsecret_key=k=#;y\ntoken=t\n", Some("t")),
        ] {
            assert_eq!(read(text).unwrap(), [some("AKIDx"), some("k=#;y"), token.map(str::to_owned)], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_a_value() {
        for (text, expected) in [
            ("", "no section [default]"),
            ("secret_id = hunter2", "no section [default]"),
            ("[DEFAULT]\nsecret_id=hunter2", "no section [default]"),
            ("[default]\nsecret_id=hunter2", "secret_key is missing in [default] of /f"),
            ("[default]\nsecret_id=\nsecret_key=hunter2", "secret_id is missing"),
            ("[default]\nsecret_id=hunter2 hunter2\nsecret_key=x", "secret_id in /f has a blank"),
            ("[default\nsecret_id=hunter2", "is no ini file"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn the_first_place_counts() {
        let places = |file: Option<&str>, set: &[(&'static str, &'static str)]| {
            let set = set.to_vec();
            let environment = Environment::from_fn(move |name| {
                set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
            });
            Profile { file: file.map(PathBuf::from), environment }.places()
        };
        let home = ("HOME", "/home/me");
        assert_eq!(places(None, &[home]), ["/home/me/.tencentcloud/credentials", OF_SYSTEM].map(PathBuf::from));
        assert_eq!(places(None, &[]), [PathBuf::from(OF_SYSTEM)]);
        assert_eq!(places(None, &[home, (VARIABLE, "/a")]), [PathBuf::from("/a")]);
        assert_eq!(places(Some("/b"), &[home, (VARIABLE, "/a")]), [PathBuf::from("/b")]);
    }
}
