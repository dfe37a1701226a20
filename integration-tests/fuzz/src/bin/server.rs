//! Looks for an input for which `server` does not hold.
#![no_main]

use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a driver for sockets");
}

fn check(data: &[u8]) {
    RUNTIME.with(|runtime| fuzz::server::check(runtime, data));
}

fuzz::look_for_trouble!(check, at_most fuzz::server::memory_max);
