//! The kit: what the scenes in `tests/it` are played with.
//!
//! - [`chaos`]: a real server that is killed again and again, and clients that write down what they
//!   live through.
//! - [`test_server`]: a server on a free port, in this process, that stops on drop.
//! - [`test_client`]: a typed client that speaks the protocol frame by frame, and waits for what it
//!   should hear.
//! - [`dialogue`]: scenes as text, played on a stage.
//! - [`history`]: what clients have lived through, and the checker of it. [`chance`]: choices with
//!   a seed.
//! - [`model`]: the archive as it should be, in a few lines.
//! - [`proxy`]: between clients and a server, to cut connections.
//! - [`sim`]: the server and its clients in one thread under virtual time, on a disk and lines that
//!   fail, from one seed.
//! - [`stage`]: where dialogues play: a server in memory under virtual time, or over sockets.
//! - [`program`]: the real binaries, built when they are needed; the server. [`piped`]: the client
//!   in a pipe.
//! - [`terminal`]: a pseudo-terminal in which a real program runs; [`screen`]: what a person sees
//!   there. [`tmux`]: a window of tmux, which breaks its rows anew when it gets another width.
//! - [`tls`]: this machine as others see it; keys and certificates; servers that are not what they
//!   say.
//! - [`process`]: how a program ends, and what it says.
//! - [`tidy`]: what the sources look like: imports, names, lines, links.

pub mod chaos;
pub mod dialogue;
pub mod history;
pub mod model;
pub mod passwords;
pub mod piped;
pub mod process;
pub mod program;
pub mod proxy;
pub mod screen;
pub mod sim;
pub mod stage;
pub mod terminal;
pub mod test_client;
pub mod test_server;
pub mod tidy;
pub mod tls;
pub mod tmux;

pub use chatroom_proto::chance;
