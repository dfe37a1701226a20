//! All scenes, in one binary: each file is about one thing that can go wrong.

mod agreement;
mod dialogue;
mod hostile;
mod kit;
mod reconnect;
mod slow_reader;
mod tidy;
