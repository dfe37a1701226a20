//! One connection's bytes, in plain or through TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};

/// The longest text of one record of TLS, in bytes: so much may come out behind any byte that goes
/// in.
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// A connection that does not block.
pub(crate) struct Line {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Line {
    /// In plain, or through TLS once the handshake is done, which is waited for.
    pub(crate) fn new(mut stream: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Line {
        stream.set_nodelay(true).expect("a socket that takes options");
        let tls = tls.map(|config| {
            let host = stream.peer_addr().expect("a connected socket").ip();
            let name = ServerName::IpAddress(host.into());
            let mut session = ClientConnection::new(Arc::clone(config), name).expect("a session");
            while session.is_handshaking() {
                session.complete_io(&mut stream).expect("the server speaks TLS");
            }
            Box::new(session)
        });
        stream.set_nonblocking(true).expect("a socket that takes options");
        Line { stream, tls }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Read for Line {
    /// Through TLS it takes out all that has come in: nothing would tell of what is left behind.
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(chunk) };
        let mut filled = 0;
        while chunk.len() - filled > 2 * RECORD_BYTES_MAX {
            match tls.read_tls(&mut self.stream) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && filled > 0 => break,
                Err(error) => return Err(error),
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let wanted = state.plaintext_bytes_to_read();
            tls.reader().read_exact(&mut chunk[filled..filled + wanted])?;
            filled += wanted;
        }
        Ok(filled)
    }
}

impl Write for Line {
    /// Through TLS all of it goes out, which is short enough for that.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.write(bytes) };
        let mut rest = bytes;
        while !rest.is_empty() || tls.wants_write() {
            let taken = tls.writer().write(rest)?;
            rest = &rest[taken..];
            match tls.write_tls(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("what is said at once does not fit into a socket")
                }
                written => written?,
            };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
