//! The program `chatroom-server`: its command line, serving, and what an operator does with what is
//! kept.
//!
//! - `arguments`: the command line. `environment`: what its variables mean.
//! - `serve`: opens the log, the archive, TLS and the sockets, and runs the server.
//! - `data_directory`: whether it can be served from.
//! - `listen`: where it listens. `signals`: what the system tells it meanwhile. `certificate`:
//!   whether the one that it shows runs out.
//! - `verify`, `export`: read the log, also while a server writes it. `log_reading`: what both
//!   share.
//! - `backup`: a copy of what makes a server this one, and the way back.
//! - `output`: standard output and standard error, which the server never waits for, and which need
//!   not take anything.
//!
//! Only this room names a concrete log.

use std::io::BufWriter;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use tracing::warn;

use crate::net::tls::{self, TlsSource};

mod arguments;
mod backup;
mod certificate;
mod data_directory;
mod environment;
mod export;
mod listen;
mod log_reading;
mod output;
mod serve;
mod signals;
mod verify;

use arguments::{Arguments, Tool};
use output::lossy;

/// Runs the program: reads the command line, does what it asks for, and says what went wrong on
/// standard error.
pub async fn run() -> ExitCode {
    if let Err(error) = signals::outlive_file_limits() {
        output::say(&format!("chatroom-server: {error:#}"));
        return ExitCode::FAILURE;
    }
    let (arguments, unknown) = match Arguments::read() {
        Ok(read) => read,
        Err(answer) => return output::answer(&answer),
    };
    let (diagnostics, _diagnostics_guard) = lossy(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(arguments.log.clone())
        .with_writer(diagnostics)
        // They would be told with `eprintln!`, which panics where nothing can be written.
        .log_internal_errors(false)
        .with_ansi(
            std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        )
        .init();
    for variable in unknown {
        warn!("{variable}");
    }
    let done = match &arguments.tool {
        Some(tool) => use_tool(tool, &arguments),
        // In a box: it is large, and what waits for it would be, too.
        None => Box::pin(serve::serve(arguments)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(&format!("chatroom-server: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn use_tool(tool: &Tool, arguments: &Arguments) -> anyhow::Result<()> {
    match tool {
        Tool::Verify => write_out(&verify::verify(&arguments.data_dir()?)?.to_string())?,
        Tool::Export { group } => {
            export::export(
                &arguments.data_dir()?,
                group,
                &mut BufWriter::new(std::io::stdout().lock()),
            )?;
        }
        Tool::Backup { to } => {
            write_out(&backup::backup(&arguments.data_dir()?, to)?.to_string())?;
        }
        Tool::Restore { from } => {
            write_out(&backup::restore(from, &arguments.data_dir()?)?.to_string())?;
        }
        Tool::Fingerprint => {
            let source = arguments.tls_source()?;
            ensure!(
                !matches!(source, TlsSource::Memory),
                "with --in-memory the key is a new one at every start"
            );
            write_out(&tls::fingerprint_at(&source)?.to_string())?;
        }
    }
    Ok(())
}

/// What a tool was asked for, or what it has done. One that could not say it has failed.
fn write_out(line: &str) -> anyhow::Result<()> {
    output::write_line(line).context("can't write what was found")
}
