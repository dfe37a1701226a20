//! The program `chatroom`: see [`chatroom_client::app`].

fn main() {
    // Not a return: the thread that waits for input can't be told to end.
    std::process::exit(chatroom_client::app::run());
}
