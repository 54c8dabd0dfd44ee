//! The binary: command line, configuration, wiring, the tour.
//!
//! Exit codes are those of the errors' kinds ([`craton_doors::errors::exit_code`]): 0 is success, 2 a
//! wrong command line or request, 3 not found, 4 denied, and so on; `craton help` lists them.
//!
//! Deliberately absent: everything that a server does with a request (the doors and the gate).

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _};
use craton_base::{Error, Result};

mod cli;
mod client;
mod commands;
mod config;
mod files;
mod memory;
mod output;
mod serve;
mod tour;

use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: memory::BySize = memory::BySize;

/// The most threads for work that blocks: disk, sealing. Each has a stack and an allocator's arena.
const BLOCKING_THREADS: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::from(craton_doors::errors::exit_code(error.kind()))
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let command = Cli::command();
    let arguments = config::layered(&command, "serve", &arguments)?;
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|m| Cli::from_arg_matches(&m));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are answers, not errors; the reader may be gone.
            let _ = e.print();
            return Ok(ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2)));
        }
    };
    serve::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|e| Error::internal("the runtime does not start").with_source(e))?;
    let done = match cli.command {
        Command::Serve(settings) => runtime.block_on(serve::serve(&settings)),
        Command::Tour(options) => runtime.block_on(tour::run(&options)),
        Command::Client(command) => runtime.block_on(commands::run(*command)),
    };
    // What still blocks was cut off by the shutdown timeout.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done.map(|()| ExitCode::SUCCESS)
}
