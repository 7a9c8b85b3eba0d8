//! The command line to an exit code; everything else is in the library.

use anyhow::Context;
use cloud_task_exporter::app::{self, Reloading, Signals, Start};
use cloud_task_exporter::cli::{self, Command, Exit, Flags};
use cloud_task_exporter::cloud::settings::Environment;
use cloud_task_exporter::config::{self, Config, Mistakes};
use cloud_task_exporter::server::security::Security;
use cloud_task_exporter::telemetry;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Answers are taken apart into thousands of small pieces that live from one poll to the next: an allocator made for that
/// saves a tenth of the CPU of a poll.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What somebody may want who starts the exporter for the first time.
const NO_FILE: &str =
    "name a config file with --config.file=PATH, or try `cloud-task-exporter demo`, which needs none\n";

fn main() -> ExitCode {
    telemetry::report_panics();
    // The hook has told what there is to tell.
    std::panic::catch_unwind(run).unwrap_or(ExitCode::FAILURE)
}

fn run() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Command::Serve { config_file, state_reset, flags }) => serve(&config_file, state_reset, &flags),
        Ok(Command::Demo { flags }) => demo(&flags),
        Ok(Command::CheckConfig { path }) => finish(&cli::check_config(&path)),
        Ok(Command::Schema) => finish(&cli::schema()),
        Ok(Command::Dashboards { directory }) => finish(&cli::dashboards(&directory)),
        Err(exit) => finish(&exit),
    }
}

fn serve(config_file: &Path, state_reset: bool, flags: &Flags) -> ExitCode {
    if let Err(error) = telemetry::init(flags.log_level, flags.log_format) {
        return ended(Err(error.into()));
    }
    let config = match load(config_file) {
        Ok(config) => config,
        Err(mistakes) => {
            let hint = if config_file.exists() { "" } else { NO_FILE };
            return finish(&Exit { code: cli::USAGE, text: format!("{mistakes}\n{hint}") });
        }
    };
    let file = config_file.to_owned();
    let reloading = Reloading {
        load: Arc::new(move || load(&file).map_err(|mistakes| mistakes.to_string())),
        over_http: flags.enable_lifecycle,
    };
    match app::open_state(&config, state_reset) {
        Ok(state) => listening(flags, |security, listener, stop| {
            app::run(Start { config, state, reloading, security }, listener, stop)
        }),
        Err(error) => ended(Err(error)),
    }
}

/// The config of a file, with its warnings in the log.
fn load(config_file: &Path) -> Result<Config, Mistakes> {
    let config = config::load_file(config_file, Some(Environment::of_process()))?;
    for warning in config.warnings() {
        let warning = warning.line(&config_file.display().to_string());
        tracing::warn!(warning, "the config asks for something this version does not do");
    }
    Ok(config)
}

fn demo(flags: &Flags) -> ExitCode {
    if let Err(error) = telemetry::init(flags.log_level, flags.log_format) {
        return ended(Err(error.into()));
    }
    listening(flags, |security, listener, stop| app::run_demo(flags.enable_lifecycle, security, listener, stop))
}

/// Runs `work` with the address and the web config the flags name, until the process is asked to stop.
fn listening<W>(flags: &Flags, work: impl FnOnce(Arc<Security>, TcpListener, CancellationToken) -> W) -> ExitCode
where
    W: Future<Output = anyhow::Result<()>>,
{
    let security = match app::security(flags.web_config_file()) {
        Ok(security) => security,
        Err(mistakes) => return finish(&Exit { code: cli::USAGE, text: format!("{mistakes}\n") }),
    };
    ended(block_on(async {
        let listener = app::listen(&flags.listen_address.candidates()).await?;
        let Signals { stop, abort } = app::stop_on_signals(&TaskTracker::new())?;
        tokio::select! {
            result = work(security, listener, stop) => result,
            () = abort.cancelled() => anyhow::bail!("asked to stop a second time: ended with work left undone"),
        }
    }))
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    let result = runtime.block_on(work);
    // A password that is being hashed, or a disk that hangs, does not hold up the end.
    runtime.shutdown_background();
    result
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => finish(&Exit { code: 1, text: format!("error: {error:#}\n") }),
    }
}

/// Prints what there is to say; a closed stdout is nobody's error.
fn finish(exit: &Exit) -> ExitCode {
    let text = exit.text.as_bytes();
    let printed = if exit.code == 0 { std::io::stdout().write_all(text) } else { std::io::stderr().write_all(text) };
    match printed {
        Ok(()) => ExitCode::from(exit.code),
        Err(_) => ExitCode::FAILURE,
    }
}
