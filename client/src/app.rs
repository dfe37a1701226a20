//! The program `chatroom`: a person's chat at a terminal, or a program's through a pipe.
//!
//! # The map
//! - `args`: the command line. `program`: from there to an exit code.
//! - `chat_loop`: turns lines into requests, and events into text.
//! - [`command`]: the commands, as a table. [`view`]: all sentences.
//! - [`directory`]: who and what is there, for Tab and for "did you mean" (`did_you_mean`).
//! - `keyboard`: from the terminal to the line editor, whole keys only.
//! - `prompt`, [`completer`], `history`: the line being typed. `lines`: the same from a pipe.
//! - `screen`, `fold`, `columns`, `line_rows`, [`gate`]: printing above that line, and never into
//!   it.
//! - [`missed_summary`]: what was said while the person was away, until all of it is here.
//!   [`unread`]: what was said where they did not look. [`arrival`]: where something was said.
//! - [`bell`], `times`: when it rings, and whether the time is shown. [`mention`]: one's name.
//! - `unsent`: messages that the server has not accepted yet.
//! - [`open_conversation`]: where every line is said that is typed, if anywhere.
//! - [`ignore`]: whom this person does not want to hear. `settings`: what they have chosen.
//!   `beside_state`: the files of both.
//! - `secret`: where a pipe's password comes from. `home`: where files are kept between runs.
//! - `teletype`: the line being typed, and printing, where nothing can be painted over.
//! - `terminal`, `signals`: leaving the terminal as it was found. `clock`: what time it is here.
//!
//! Four threads: the first one runs the async tasks and never blocks; `keys` waits for the
//! terminal, `prompt` for lines (or `lines` for those of a pipe), `screen` for output. Between them
//! are bounded queues.

mod args;
pub mod arrival;
pub mod bell;
mod beside_state;
mod chat_loop;
mod clock;
mod columns;
pub mod command;
pub mod completer;
mod did_you_mean;
pub mod directory;
mod fold;
pub mod gate;
mod history;
mod home;
pub mod ignore;
mod keyboard;
pub mod line_rows;
mod lines;
pub mod mention;
pub mod missed_summary;
pub mod open_conversation;
mod program;
mod prompt;
mod screen;
mod secret;
mod settings;
mod signals;
mod teletype;
mod terminal;
mod times;
pub mod unread;
mod unsent;
pub mod view;

/// Runs the program: reads the command line, chats, and leaves the terminal as it was found.
/// Returns the exit code.
///
/// The thread that waits for input can't be told to end, so the process should end with this.
pub fn run() -> i32 {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run_within()),
        Err(error) => program::failed(&error),
    }
}

async fn run_within() -> i32 {
    // Before anything is written.
    if let Err(error) = signals::outlive_file_limits() {
        return program::failed(&error);
    }
    let args = match args::Args::read() {
        Ok(args) => args,
        Err(answer) => return program::answer(&answer),
    };
    terminal::remember();
    // In a box: it is large, and what waits for it would be, too.
    let code = Box::pin(program::run(args)).await;
    terminal::restore(false);
    code
}
