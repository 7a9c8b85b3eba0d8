//! Keys that a program prints, as the aliyun CLI has them for its mode `External`.
//!
//! The program runs with our rights and our environment, and without a shell. What it prints is never shown.

use super::temporary::{key, until};
use crate::clock;
use crate::cloud::credentials::{Found, Given, Keys, Source};
use crate::cloud::{Client, Error, json, mark};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use serde::Deserialize;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// As long as the SDK lets a program run.
const LIMIT: Duration = Duration::from_mins(1);
/// No keys are longer than this, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;
/// Keys without an end are asked for again so much later. The SDK runs the program for every request.
const AGAIN: Duration = Duration::from_mins(5);

/// A program and its arguments.
pub(super) struct Process {
    /// Split into words as a shell does. It may hold a secret, so it is never shown.
    pub(super) command: String,
}

/// What the program prints, letter by letter.
#[derive(Deserialize)]
struct Printed {
    mode: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    sts_token: Option<String>,
    expiration: Option<String>,
}

/// Two are equal if they show the same; a changed config is told by that.
impl std::fmt::Debug for Process {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Process").field("command", &mark(&[&self.command])).finish()
    }
}

/// The words of a command.
///
/// # Errors
/// When there is none, or a quote is not closed.
pub(super) fn words(command: &str) -> Result<(String, Vec<String>), String> {
    let mut words = shlex::split(command).ok_or("a quote in the command is not closed")?.into_iter();
    let program = words.next().ok_or("the command is empty; expected one such as /usr/local/bin/keys --json")?;
    Ok((program, words.collect()))
}

impl Process {
    async fn run(&self) -> Result<Found, Error> {
        let failed = |what: String| Error::new(Reason::Denied, what);
        let (program, arguments) = words(&self.command).map_err(failed)?;
        // Dropped in time, a program that goes on is killed.
        let output = timeout(LIMIT, output_of(&program, &arguments)).await;
        let output = output.map_err(|_| failed(format!("the command did not end within {LIMIT:?}")))??;
        let unfit = |error: Error| failed("what the command printed are no keys".to_owned()).with_source(error);
        let printed: Printed = json::read(&output, "").map_err(unfit)?;
        Ok(Found::Keys(printed.given().map_err(unfit)?))
    }
}

async fn output_of(program: &str, arguments: &[String]) -> Result<Vec<u8>, Error> {
    let failed = |what: String| Error::new(Reason::Denied, what);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|error| failed("the command cannot be run".to_owned()).with_source(error))?;
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let read = stdout.take(MAX_OUTPUT + 1).read_to_end(&mut output).await;
        read.map_err(|error| failed("the command's output cannot be read".to_owned()).with_source(error))?;
    }
    if u64::try_from(output.len()).unwrap_or(u64::MAX) > MAX_OUTPUT {
        return Err(failed(format!("the command printed more than {MAX_OUTPUT} bytes")));
    }
    let status = child.wait().await.map_err(|error| failed("the command was lost".to_owned()).with_source(error))?;
    if status.success() { Ok(output) } else { Err(failed(format!("the command failed: {status}"))) }
}

impl Printed {
    fn given(self) -> Result<Given, Error> {
        let is_temporary = self.mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("StsToken"));
        let token = self.sts_token.as_deref().filter(|token| !token.trim().is_empty());
        let keys = Keys {
            id: key("access_key_id", self.access_key_id.as_deref())?,
            secret: key("access_key_secret", self.access_key_secret.as_deref())?,
            token: if is_temporary || token.is_some() { Some(key("sts_token", token)?) } else { None },
        };
        match self.expiration.filter(|end| !end.trim().is_empty()) {
            Some(end) => until(keys, &end, "expiration", clock::now()),
            None => Ok(Given::for_now(keys, AGAIN)),
        }
    }
}

impl Source for Process {
    fn describe(&self) -> String {
        "the command".to_owned()
    }

    fn keys<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.run().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    async fn run(command: &str) -> Result<Given, Error> {
        match (Process { command: command.to_owned() }).run().await? {
            Found::Keys(given) => Ok(given),
            Found::Nothing(why) => panic!("{why}"),
        }
    }

    #[tokio::test]
    async fn keys_are_read_from_what_is_printed() {
        let printed = r#"{"mode": "StsToken", "access_key_id": "a", "access_key_secret": "b", "sts_token": "c"}"#;
        let given = run(&format!("printf '%s' '{printed}'")).await.unwrap();
        assert_eq!(given.keys().secrets(), ["a", "b", "c"]);
        let printed =
            r#"{"mode": "AK", "access_key_id": "a", "access_key_secret": "b", "sts_token": "", "expiration": ""}"#;
        let given = run(&format!("echo '{printed}'")).await.unwrap();
        assert!(given.keys().token.is_none() && given.keys().id.expose_secret() == "a");
        // The words are not a shell's: nothing is expanded, nothing is piped.
        let printed = r#"{"access_key_id": "$HOME", "access_key_secret": "|"}"#;
        assert_eq!(run(&format!("echo '{printed}'")).await.unwrap().keys().secrets(), ["$HOME", "|"]);
    }

    #[tokio::test]
    async fn a_command_that_gives_no_keys_is_an_error_without_its_words() {
        for (command, expected) in [
            ("", "the command is empty"),
            ("echo 'hunter2", "a quote in the command is not closed"),
            ("/no/such/program hunter2", "the command cannot be run: No such file"),
            ("false hunter2", "the command failed: exit status: 1"),
            ("echo hunter2", "it is not JSON"),
            (r#"echo '{"access_key_id": "hunter2"}'"#, "`access_key_secret` is missing"),
            (
                r#"echo '{"mode": "StsToken", "access_key_id": "hunter2", "access_key_secret": "b"}'"#,
                "`sts_token` is missing",
            ),
            (
                r#"echo '{"access_key_id": "a", "access_key_secret": "hunter2", "expiration": "2020-01-01T00:00:00Z"}'"#,
                "have ended",
            ),
            ("cat /dev/zero", "more than 65536 bytes"),
        ] {
            let error = run(command).await.unwrap_err();
            let shown = crate::cloud::chain(&error);
            assert!(shown.contains(expected) && !shown.contains("hunter2"), "{command}: {shown}");
            assert_eq!(error.reason(), Reason::Denied);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_does_not_end_is_not_waited_for() {
        let error = run("sleep 3600").await.unwrap_err();
        assert!(error.to_string().contains("within 60s"), "{error}");
    }
}
