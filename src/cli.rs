//! The command line: flags, their environment twins, subcommands. Turns arguments into a [`Command`], or into what to print
//! and the code to exit with.
//!
//! The only owner of clap. Never ends the process and never prints; `main` does both.

use crate::telemetry::{LogFormat, LogLevel};
use crate::{bundle, config};
use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Exit code of a bad config and of a wrong use of the command line.
pub const USAGE: u8 = 64;

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Poll and serve.
    Serve {
        /// The config file.
        config_file: PathBuf,
        /// Whether to set the state file aside and begin anew.
        state_reset: bool,
        /// Where and how.
        flags: Flags,
    },
    /// The same against simulated clouds.
    Demo {
        /// Where and how.
        flags: Flags,
    },
    /// See [`check_config`].
    CheckConfig {
        /// The config file.
        path: PathBuf,
    },
    /// See [`schema`].
    Schema,
    /// See [`dashboards`].
    Dashboards {
        /// The directory to write into.
        directory: PathBuf,
    },
}

/// What to print and the code to exit with. The text is for stdout where the code is 0, else for stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// 0, [`USAGE`], or 1 for anything else.
    pub code: u8,
    /// Ends with a line end.
    pub text: String,
}

/// Flags of everything that serves.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Address to serve on; without a host, every address of the machine
    #[arg(
        long = "web.listen-address",
        env = "CLOUD_TASK_EXPORTER_WEB_LISTEN_ADDRESS",
        hide_env_values = true,
        value_name = "HOST:PORT",
        default_value = ":10417"
    )]
    pub listen_address: ListenAddress,
    /// File with TLS, users and headers of the pages, in the format of the Prometheus exporter-toolkit; none if empty
    #[arg(
        long = "web.config.file",
        env = "CLOUD_TASK_EXPORTER_WEB_CONFIG_FILE",
        hide_env_values = true,
        value_name = "PATH",
        default_value = "",
        hide_default_value = true,
        value_parser = clap::value_parser!(OsString)
    )]
    web_config_file: OsString,
    /// Reload the config on POST /-/reload, not only on SIGHUP
    #[arg(
        long = "web.enable-lifecycle",
        env = "CLOUD_TASK_EXPORTER_WEB_ENABLE_LIFECYCLE",
        hide_env_values = true,
        value_parser = BoolishValueParser::new()
    )]
    pub enable_lifecycle: bool,
    /// Lines of this weight and above are logged
    #[arg(
        long = "log.level",
        env = "CLOUD_TASK_EXPORTER_LOG_LEVEL",
        hide_env_values = true,
        value_name = "LEVEL",
        default_value = "info",
        value_parser = PossibleValuesParser::new(["debug", "info", "warn", "error"]).try_map(|word| word.parse::<LogLevel>())
    )]
    pub log_level: LogLevel,
    /// How a line of the log is written
    #[arg(
        long = "log.format",
        env = "CLOUD_TASK_EXPORTER_LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "logfmt",
        value_parser = PossibleValuesParser::new(["logfmt", "json"]).try_map(|word| word.parse::<LogFormat>())
    )]
    pub log_format: LogFormat,
}

impl Flags {
    /// The web config file, if there is one.
    pub fn web_config_file(&self) -> Option<&Path> {
        Some(Path::new(&self.web_config_file)).filter(|path| !path.as_os_str().is_empty())
    }
}

/// Where to listen: a host, which may be left out, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: Box<str>,
    port: u16,
}

impl ListenAddress {
    /// The hosts and ports to try until one can be listened on. Without a host these are all addresses: those of IPv6,
    /// which take IPv4 in, and where there is no IPv6 those of IPv4.
    pub fn candidates(&self) -> Vec<(String, u16)> {
        let hosts = if self.host.is_empty() { vec!["::", "0.0.0.0"] } else { vec![&*self.host] };
        hosts.into_iter().map(|host| (host.to_owned(), self.port)).collect()
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected HOST:PORT or :PORT, such as :10417, localhost:10417 or [::]:10417".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_fine = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.contains([':', '/', '[', ']', '@']) && !host.contains(char::is_whitespace),
        };
        if !is_fine || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| wrong())?;
        Ok(Self { host: bare.unwrap_or(host).into(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

/// Prometheus exporter for batch jobs and cluster operations of Tencent Cloud Batch, Alibaba Cloud Container Service and
/// Huawei Cloud CCE.
#[derive(Debug, Parser)]
#[command(
    name = "cloud-task-exporter",
    version,
    subcommand_value_name = "COMMAND",
    disable_help_subcommand = true,
    after_help = "Without a command it serves. Exit codes: 0 stopped as asked; 64 bad config or usage; 1 anything else."
)]
struct Cli {
    #[command(flatten)]
    serve: ServeFlags,
    #[command(subcommand)]
    command: Option<Sub>,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Poll the clouds and serve metrics (the default)
    Serve(ServeFlags),
    /// Serve metrics of three simulated clouds; needs no account and no file
    Demo(Flags),
    /// Show every mistake of a config file with its line
    CheckConfig {
        /// The config file
        path: PathBuf,
    },
    /// Print the JSON Schema of the config file
    Schema,
    /// Write the Grafana dashboards and the Prometheus rules that come with it into a directory
    Dashboards {
        /// The directory; made if it is missing, files of the same names in it are overwritten
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Args, Debug)]
struct ServeFlags {
    /// The config file
    #[arg(
        long = "config.file",
        env = "CLOUD_TASK_EXPORTER_CONFIG_FILE",
        hide_env_values = true,
        value_name = "PATH",
        default_value = "cloud-task-exporter.yaml"
    )]
    config_file: PathBuf,
    /// Set the state file aside, under another name, and begin anew
    #[arg(
        long = "state.reset",
        env = "CLOUD_TASK_EXPORTER_STATE_RESET",
        hide_env_values = true,
        value_parser = BoolishValueParser::new()
    )]
    state_reset: bool,
    #[command(flatten)]
    flags: Flags,
}

/// Reads the arguments, the first of which is the program's name.
///
/// # Errors
/// What to print instead of doing something: the help, the version, or what is wrong with the arguments.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Exit> {
    let arguments = flags_behind_command(arguments.into_iter().collect());
    let cli = Cli::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| Exit { code: if error.use_stderr() { USAGE } else { 0 }, text: error.render().to_string() })?;
    Ok(match cli.command.unwrap_or(Sub::Serve(cli.serve)) {
        Sub::Serve(ServeFlags { config_file, state_reset, flags }) => {
            Command::Serve { config_file, state_reset, flags }
        }
        Sub::Demo(flags) => Command::Demo { flags },
        Sub::CheckConfig { path } => Command::CheckConfig { path },
        Sub::Schema => Command::Schema,
        Sub::Dashboards { directory } => Command::Dashboards { directory },
    })
}

/// Moves the flags that stand before a command behind it, so that they are taken there, and refused by a command that
/// has no such flag.
fn flags_behind_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let mut is_value = false;
    let command = arguments.iter().skip(1).position(|argument| {
        let text = argument.to_string_lossy();
        let is_flag = text.starts_with('-');
        let is_command = !is_value && !is_flag;
        is_value = !is_value && text.starts_with("--") && !text.contains('=') && !is_lone(argument);
        is_command
    });
    if let Some(flags) = command {
        // What is before the command, and the command, turned by one place.
        if let Some(head) = arguments.get_mut(1..=flags + 1) {
            head.rotate_right(1);
        }
    }
    arguments
}

/// A flag that takes no value.
fn is_lone(argument: &OsStr) -> bool {
    let lone = ["--help", "--version", "--state.reset", "--web.enable-lifecycle", "--"];
    lone.iter().any(|lone| argument == *lone)
}

/// Every mistake of a config file, or that there is none and how much it asks for. Secrets are not read.
pub fn check_config(path: &Path) -> Exit {
    match config::load_file(path, None) {
        Ok(config) => {
            let file_name = path.display().to_string();
            let warnings = config.warnings().iter().map(|warning| warning.line(&file_name) + " (warning)\n");
            let text = warnings.chain([format!("{file_name}: ok: {}\n", config.counts())]).collect();
            Exit { code: 0, text }
        }
        Err(mistakes) => Exit { code: USAGE, text: format!("{mistakes}\n") },
    }
}

/// The JSON Schema of the config file.
pub fn schema() -> Exit {
    Exit { code: 0, text: format!("{:#}\n", config::schema()) }
}

/// Writes the dashboards and rules that come with the exporter; the path of each, or why that cannot be done.
pub fn dashboards(directory: &Path) -> Exit {
    match bundle::write(directory) {
        Ok(paths) => {
            let lines: Vec<String> = paths.iter().map(|path| format!("wrote {}\n", path.display())).collect();
            Exit { code: 0, text: lines.concat() }
        }
        Err(error) => {
            let reason = error.source().map(ToString::to_string).unwrap_or_default();
            Exit { code: 1, text: format!("error: {error}: {reason}\n") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Command, Exit> {
        parse(std::iter::once("cloud-task-exporter").chain(words.split_whitespace()).map(OsString::from))
    }

    fn flags(address: &str, log_level: LogLevel, log_format: LogFormat) -> Flags {
        Flags {
            listen_address: address.parse().unwrap(),
            web_config_file: OsString::new(),
            enable_lifecycle: false,
            log_level,
            log_format,
        }
    }

    fn serve(config_file: &str, flags: Flags) -> Command {
        Command::Serve { config_file: config_file.into(), state_reset: false, flags }
    }

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        let expected = Ok(serve("cloud-task-exporter.yaml", flags(":10417", LogLevel::Info, LogFormat::Logfmt)));
        assert_eq!(parse_words(""), expected);
        assert_eq!(parse_words("serve"), expected);
    }

    #[test]
    fn flags_go_before_and_after_the_command() {
        let expected = Ok(serve("a.yaml", flags("localhost:1", LogLevel::Debug, LogFormat::Json)));
        let all =
            ["--config.file=a.yaml", "--web.listen-address localhost:1", "--log.level debug", "--log.format=json"];
        for split in 0..=all.len() {
            let (before, after) = all.split_at(split);
            assert_eq!(parse_words(&format!("{} serve {}", before.join(" "), after.join(" "))), expected);
        }
        assert_eq!(parse_words(&all.join(" ")), expected);
        assert_eq!(
            parse_words("--log.level=warn demo --web.listen-address=:0"),
            Ok(Command::Demo { flags: flags(":0", LogLevel::Warn, LogFormat::Logfmt) })
        );
        for words in ["--state.reset serve --config.file=a.yaml", "serve --config.file=a.yaml --state.reset"] {
            let parsed = parse_words(words);
            assert!(matches!(parsed, Ok(Command::Serve { state_reset: true, .. })), "{words}: {parsed:?}");
        }
        assert_eq!(
            parse_words("--config.file serve"),
            Ok(serve("serve", flags(":10417", LogLevel::Info, LogFormat::Logfmt))),
            "a file may have the name of a command"
        );
        for words in ["--web.enable-lifecycle demo", "demo --web.enable-lifecycle"] {
            let Ok(Command::Demo { flags }) = parse_words(words) else { panic!("{words} is no demo") };
            assert!(flags.enable_lifecycle);
        }
    }

    #[test]
    fn an_empty_web_config_file_is_none() {
        for (words, expected) in
            [("", None), ("--web.config.file=", None), ("--web.config.file=web.yml", Some("web.yml"))]
        {
            for command in ["serve", "demo"] {
                let Ok(Command::Serve { flags, .. } | Command::Demo { flags }) =
                    parse_words(&format!("{command} {words}"))
                else {
                    panic!("{command} {words}");
                };
                assert_eq!(flags.web_config_file(), expected.map(Path::new), "{command} {words}");
            }
        }
    }

    #[test]
    fn a_wrong_use_exits_with_64_and_says_why() {
        for (words, reason) in [
            ("--shard=1/2", "unexpected argument '--shard'"),
            ("check-config a.yaml --web.config.file=x", "unexpected argument '--web.config.file'"),
            ("check-config a.yaml --online", "unexpected argument '--online'"),
            ("check-config", "<PATH>"),
            ("--log.level=debug check-config a.yaml", "unexpected argument '--log.level'"),
            ("--config.file=a.yaml demo", "unexpected argument '--config.file'"),
            ("--log.level=verbose", "[possible values: debug, info, warn, error]"),
            ("--web.listen-address=10417", "expected HOST:PORT"),
            ("--config.file", "a value is required"),
            ("--log.level=info --log.level=debug", "cannot be used multiple times"),
            ("dashboards", "<DIR>"),
            ("dashboards a b", "unexpected argument 'b'"),
            ("plan a.yaml", "unrecognized subcommand 'plan'"),
            ("serve extra", "unexpected argument 'extra'"),
        ] {
            let exit = parse_words(words).unwrap_err();
            assert_eq!(exit.code, USAGE, "{words}");
            assert!(exit.text.contains(reason), "{words}: {}", exit.text);
        }
    }

    #[test]
    fn help_and_version_exit_with_0() {
        insta::assert_snapshot!("help", parse_words("--help").unwrap_err().text);
        insta::assert_snapshot!("help_serve", parse_words("--log.level info --help serve").unwrap_err().text);
        insta::assert_snapshot!("help_dashboards", parse_words("dashboards -h").unwrap_err().text);
        insta::assert_snapshot!("help_check_config", parse_words("check-config -h").unwrap_err().text);
        let version = format!("cloud-task-exporter {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(parse_words("--version"), Err(Exit { code: 0, text: version }));
    }

    #[test]
    fn every_flag_has_its_environment_twin() {
        let mut seen = 0;
        for command in std::iter::once(&Cli::command()).chain(Cli::command().get_subcommands()) {
            for argument in
                command.get_arguments().filter(|argument| argument.get_long().is_some_and(|long| long.contains('.')))
            {
                let long = argument.get_long().unwrap_or_default().to_uppercase().replace(['.', '-'], "_");
                assert_eq!(argument.get_env(), Some(OsStr::new(&format!("CLOUD_TASK_EXPORTER_{long}"))));
                seen += 1;
            }
        }
        assert_eq!(seen, 7 + 7 + 5);
    }

    #[test]
    fn addresses_read_like_those_of_other_exporters() {
        let read =
            |text: &str| text.parse::<ListenAddress>().map(|address| (address.candidates(), address.to_string()));
        let all = vec![("::".to_owned(), 10417), ("0.0.0.0".to_owned(), 10417)];
        assert_eq!(read(":10417"), Ok((all, ":10417".to_owned())));
        for (text, host) in [("[::]:1", "::"), ("localhost:1", "localhost"), ("127.0.0.1:1", "127.0.0.1")] {
            assert_eq!(read(text), Ok((vec![(host.to_owned(), 1)], text.to_owned())));
        }
        for wrong in ["", ":", "10417", "::1", "::1:80", "[x]:1", "http://a:1", "a b:1", "a:65536", "a:+1", "a:-1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
