//! From the command line to an exit code.
//!
//! - `program/setup.rs`: input, output and logs.
//! - `program/login.rs`: a name that the server takes, and a password where one is needed.
//! - `program/run.rs`: the chat, and what is said in the end.
//! - `program/ending.rs`: the exit codes.

mod ending;
mod login;
mod run;
mod setup;

pub(crate) use ending::{answer, failed};
pub(crate) use run::run;
