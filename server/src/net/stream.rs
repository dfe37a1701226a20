//! A client's stream of bytes. Its first byte tells whether it is TLS, and from there on it is the
//! one or the other: behind the first byte of TLS nothing is ever sent in plain.
//!
//! A plain stream is nothing but its socket, also in size. Everything else is in a box, and gone
//! with it.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::{FallibleAccept, TlsStream};

use crate::config::TLS_WRITE_BYTES_MAX;

/// What a TLS connection begins with: a record of the handshake. A frame of ours begins with the
/// highest byte of a length that is far below that.
const TLS_HANDSHAKE: u8 = 0x16;

/// A stream of bytes whose end knows whether it is TLS.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// Whether it is TLS: known when something was read.
    fn is_tls(&self) -> bool;
}

impl Wire for DuplexStream {
    fn is_tls(&self) -> bool {
        false
    }
}

/// The client speaks plain, and may not from where it comes.
#[derive(Debug, thiserror::Error)]
#[error("a plain connection from elsewhere")]
pub(crate) struct PlainRefused;

/// A client's stream.
pub(crate) enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// What takes more.
    Boxed(Box<Boxed>),
}

pub(crate) enum Boxed {
    /// Nothing was read yet.
    Undecided(Undecided),
    /// The handshake goes on.
    Accepting(Box<FallibleAccept<TcpStream>>),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// There is no handshake, or it has failed and the peer was told, and may take it in.
    Failed(TcpStream),
    /// There is nobody.
    Gone,
}

pub(crate) struct Undecided {
    tcp: TcpStream,
    offer: Offer,
    takes_plain: bool,
}

/// What one who begins with TLS is offered.
pub(crate) enum Offer {
    /// TLS.
    Tls(TlsAcceptor),
    /// Nothing: it is taken for plain.
    Plain,
    /// The end: its address has begun too many handshakes lately.
    Later,
}

/// The client's address has begun too many handshakes.
#[derive(Debug, thiserror::Error)]
#[error("too many handshakes from there")]
struct TooManyHandshakes;

impl Stream {
    /// A stream that decides for TLS, if that is offered, or for plain, if that is taken.
    pub(crate) fn new(tcp: TcpStream, offer: Offer, takes_plain: bool) -> Stream {
        Stream::Boxed(Box::new(Boxed::Undecided(Undecided { tcp, offer, takes_plain })))
    }

    /// Goes on as what the first byte says. Fails when that is not taken from there; what is
    /// written goes out in plain then, so that the client learns of it.
    fn poll_decide(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stream::Boxed(boxed) = self else { return Poll::Ready(Ok(())) };
        let Boxed::Undecided(Undecided { tcp, .. }) = &mut **boxed else {
            return Poll::Ready(Ok(()));
        };
        let first = ready!(poll_first(tcp, cx))?;
        let Boxed::Undecided(Undecided { tcp, offer, takes_plain }) =
            mem::replace(&mut **boxed, Boxed::Gone)
        else {
            return Poll::Ready(Ok(()));
        };
        match (first, offer) {
            (Some(TLS_HANDSHAKE), Offer::Tls(tls)) => {
                let accept = tls.accept_with(tcp, |session| {
                    session.set_buffer_limit(Some(TLS_WRITE_BYTES_MAX));
                });
                **boxed = Boxed::Accepting(Box::new(accept.into_fallible()));
            }
            // To be told so it would have to be spoken to in TLS.
            (Some(TLS_HANDSHAKE), Offer::Later) => {
                **boxed = Boxed::Failed(tcp);
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::QuotaExceeded,
                    TooManyHandshakes,
                )));
            }
            (Some(_), _) if !takes_plain => {
                *self = Stream::Plain(tcp);
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    PlainRefused,
                )));
            }
            _ => *self = Stream::Plain(tcp),
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on to where something can be read: with what is plain, or with the handshake to its
    /// end.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_decide(cx))?;
        let Stream::Boxed(boxed) = self else { return Poll::Ready(Ok(())) };
        let Boxed::Accepting(accept) = &mut **boxed else { return Poll::Ready(Ok(())) };
        match ready!(Pin::new(&mut **accept).poll(cx)) {
            Ok(tls) => {
                **boxed = Boxed::Tls(Box::new(tls));
                Poll::Ready(Ok(()))
            }
            Err((error, tcp)) => {
                **boxed = Boxed::Failed(tcp);
                Poll::Ready(Err(error))
            }
        }
    }

    /// Not part of what is done for every delivery: there it would cost, by its size alone.
    #[inline(never)]
    fn poll_read_boxed(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_ready(cx))?;
        match self {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Boxed(boxed) => match &mut **boxed {
                Boxed::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
                Boxed::Failed(tcp) => Pin::new(tcp).poll_read(cx, buf),
                Boxed::Undecided(_) | Boxed::Accepting(_) | Boxed::Gone => Poll::Ready(Ok(())),
            },
        }
    }

    /// Where bytes can be written to: one who has said nothing yet is told in plain why it is hung
    /// up on, one in the middle of a handshake can't be told.
    fn writable(&mut self) -> io::Result<Pin<&mut (dyn AsyncWrite + Unpin)>> {
        if let Stream::Boxed(boxed) = self
            && matches!(**boxed, Boxed::Undecided(_) | Boxed::Accepting(_))
            && let Boxed::Undecided(Undecided { tcp, .. }) = mem::replace(&mut **boxed, Boxed::Gone)
        {
            *self = Stream::Plain(tcp);
        }
        match self {
            Stream::Plain(tcp) => Ok(Pin::new(tcp)),
            Stream::Boxed(boxed) => match &mut **boxed {
                Boxed::Tls(tls) => Ok(Pin::new(&mut **tls)),
                _ => Err(io::ErrorKind::NotConnected.into()),
            },
        }
    }
}

/// The first byte that the peer sends, which stays where it is; nothing at the end.
fn poll_first(tcp: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<Option<u8>>> {
    let mut first = [0];
    let mut first = ReadBuf::new(&mut first);
    ready!(tcp.poll_peek(cx, &mut first))?;
    Poll::Ready(Ok(first.filled().first().copied()))
}

impl Wire for Stream {
    fn is_tls(&self) -> bool {
        matches!(self, Stream::Boxed(boxed) if matches!(**boxed, Boxed::Tls(_)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            stream => stream.poll_read_boxed(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            stream => stream.writable()?.poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            stream => stream.writable()?.poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Boxed(boxed) => match &mut **boxed {
                Boxed::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
                // Nothing was written.
                _ => Poll::Ready(Ok(())),
            },
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Boxed(boxed) => match &mut **boxed {
                Boxed::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
                Boxed::Undecided(Undecided { tcp, .. }) | Boxed::Failed(tcp) => {
                    Pin::new(tcp).poll_shutdown(cx)
                }
                Boxed::Accepting(_) | Boxed::Gone => {
                    **boxed = Boxed::Gone;
                    Poll::Ready(Ok(()))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests;
