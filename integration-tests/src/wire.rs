//! A wire between a client and a server that can be cut and mended, while both live on.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Connections to its port go on to a server, while it is not cut.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    is_gone: bool,
    ends: Vec<TcpStream>,
}

impl Wire {
    /// A wire to this server.
    ///
    /// # Panics
    /// When this machine has no free port.
    pub fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a socket that listens has an address");
        let state = Arc::new(Mutex::new(State::default()));
        let wire = Wire { address, state: Arc::clone(&state) };
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let mut state = lock(&state);
                if state.is_gone {
                    return;
                }
                // A server that is gone hangs up, too.
                if !state.is_cut
                    && let Ok(ends) = join(&near, server)
                {
                    state.ends.extend(ends);
                }
            }
        });
        wire
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts all connections; new ones are hung up on.
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.is_cut = true;
        for end in state.ends.drain(..) {
            // One that is closed already is cut as well.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        lock(&self.state).is_cut = false;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        lock(&self.state).is_gone = true;
        // So that the thread looks up.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries everything to the server and back, in threads that end with the connection.
fn join(near: &TcpStream, server: SocketAddr) -> io::Result<[TcpStream; 2]> {
    let far = TcpStream::connect(server)?;
    for (from, to) in [(near, &far), (&far, near)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        to.set_nodelay(true)?;
        thread::spawn(move || {
            // However it ends, the other end is to know.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok([near.try_clone()?, far])
}
