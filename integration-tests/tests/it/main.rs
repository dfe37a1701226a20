//! All scenes, in one binary: each file is about one thing that can go wrong.

mod agreement;
mod archive;
mod chaos;
mod coming_back;
mod crowd;
mod dialogue;
mod durable;
mod figure_one;
mod hostile;
mod kit;
mod links;
mod operator;
mod piped;
mod reconnect;
mod simulation;
mod slow_reader;
mod terminal_bursts;
mod terminal_endings;
mod terminal_kept;
mod terminal_lost;
mod terminal_names;
mod terminal_past;
mod terminal_state;
mod terminal_text;
mod tidy;
mod tools;
