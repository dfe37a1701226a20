//! The program `chatroom-server`: see [`chatroom_server::cli`].

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chatroom_server::cli::run().await
}
