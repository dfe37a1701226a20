//! From nothing to `Welcome`.

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameError, FrameReader, FrameWriter};
use chatroom_proto::{
    ClientFrame, CloseReason, Hello, Lives, Notification, Proof, Refusal, Request, Response, Seq,
    ServerFrame, Tag, Welcome,
};
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio::time::timeout;

use crate::dial::{Dial, Dialled};
use crate::error::ConnectError;
use crate::limits::HANDSHAKE_DEADLINE;
use crate::trust::Untrusted;

/// What the server sends.
pub(crate) type LinkReader<S> = FrameReader<ReadHalf<S>, ServerFrame>;

/// What the server is sent.
pub(crate) type LinkWriter<S> = FrameWriter<WriteHalf<S>, ClientFrame>;

/// A connection that was welcomed.
pub(crate) struct WelcomedConnection<S> {
    pub(crate) reader: LinkReader<S>,
    pub(crate) writer: LinkWriter<S>,
    pub(crate) welcome: Box<Welcome>,
    /// The lives of the server's log, if it tells.
    pub(crate) lives: Option<Lives>,
    /// The newest event that client and server share, if the server was put back.
    pub(crate) put_back: Option<Seq>,
    pub(crate) is_private: bool,
}

/// What a server says to one whom it lets in.
type Welcomed = (Box<Welcome>, Option<Lives>, Option<Seq>);

/// One attempt.
pub(crate) async fn connect<D: Dial>(
    dial: &D,
    tag: Tag,
    (hello, lives): (Hello, &Lives),
) -> Result<WelcomedConnection<D::Stream>, ConnectError> {
    let Dialled { stream, is_private } = dial.dial().await?;
    if matches!(hello.proof, Proof::Password(_)) && !is_private {
        // Not a byte of it.
        return Err(ConnectError::PasswordUnsaid { name: hello.name });
    }
    let (read, write) = split(stream);
    let mut reader = FrameReader::new(read, FRAME_BYTES_MAX);
    let mut writer = FrameWriter::new(write);
    let request = if lives.as_slice().is_empty() {
        Request::Hello(hello)
    } else {
        Request::ComeBack { hello, lives: lives.clone() }
    };
    let frame = ClientFrame { tag, request };
    let welcomed = timeout(HANDSHAKE_DEADLINE, greet(&mut reader, &mut writer, frame))
        .await
        .map_err(|_| ConnectError::Silent)?;
    let (welcome, lives, put_back) = welcomed.map_err(|error| match error {
        // Nobody need type what is not said here.
        ConnectError::Refused(Refusal::PasswordNeeded { name }) if !is_private => {
            ConnectError::PasswordUnsaid { name }
        }
        error => error,
    })?;
    Ok(WelcomedConnection { reader, writer, welcome, lives, put_back, is_private })
}

async fn greet<S: tokio::io::AsyncRead + tokio::io::AsyncWrite>(
    reader: &mut LinkReader<S>,
    writer: &mut LinkWriter<S>,
    frame: ClientFrame,
) -> Result<Welcomed, ConnectError> {
    let tag = frame.tag;
    // A server that is full says so and hangs up at once: a failed write is no reason not to read.
    let written = async {
        writer.feed(frame).await?;
        writer.flush().await
    };
    let written: Result<(), FrameError> = written.await;
    match reader.next().await {
        Some(Ok(ServerFrame::Response { tag: answered, result })) if answered == tag => {
            match result {
                Ok(Response::Welcome(welcome)) => Ok((Box::new(welcome), None, None)),
                Ok(Response::WelcomeInLife { welcome, lives, put_back }) => {
                    Ok((welcome, Some(lives), put_back))
                }
                Ok(_) => Err(ConnectError::Garbled("another response than a welcome".to_owned())),
                Err(refusal) => Err(ConnectError::Refused(refusal)),
            }
        }
        Some(Ok(ServerFrame::Notification(Notification::Closing(reason)))) => Err(match reason {
            CloseReason::TlsRequired => ConnectError::Untrusted(Untrusted::TlsRequired),
            reason => ConnectError::Closed(reason),
        }),
        Some(Ok(_)) => Err(ConnectError::Garbled("something else than a welcome".to_owned())),
        Some(Err(
            error @ (FrameError::TooLong { .. }
            | FrameError::Malformed(_)
            | FrameError::Invalid { .. }),
        )) => Err(ConnectError::Garbled(error.to_string())),
        Some(Err(FrameError::Io(_))) | None => {
            tracing::debug!(?written, "cut during the handshake");
            Err(ConnectError::Cut)
        }
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Password, Seq, UserName, VersionRange};
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    struct Line {
        end: std::sync::Mutex<Option<DuplexStream>>,
        is_private: bool,
    }

    impl Dial for Line {
        type Stream = DuplexStream;

        async fn dial(&self) -> Result<Dialled<DuplexStream>, ConnectError> {
            let stream = self.end.lock().unwrap().take().unwrap();
            Ok(Dialled { stream, is_private: self.is_private })
        }
    }

    /// What comes of saying a password over a line, and what went over it.
    async fn say_password(is_private: bool) -> (Option<ConnectError>, Vec<u8>) {
        let (here, mut there) = duplex(4_096);
        let line = Line { end: std::sync::Mutex::new(Some(here)), is_private };
        let password = Password::try_from("hunter2".to_owned()).unwrap();
        let hello = Hello {
            versions: VersionRange::OF_CLIENTS,
            name: UserName::parse("Jim").unwrap(),
            proof: Proof::Password(password),
            seen: Seq::ZERO,
        };
        let mut heard = vec![0; 4_096];
        let server = async {
            let read = there.read(&mut heard).await.unwrap();
            heard.truncate(read);
            drop(there);
        };
        let lives = Lives::default();
        let (connected, ()) = tokio::join!(connect(&line, Tag(1), (hello, &lives)), server);
        (connected.err(), heard)
    }

    #[tokio::test]
    async fn a_password_is_not_said_where_others_can_read_along() {
        let (error, heard) = say_password(false).await;
        assert!(matches!(error, Some(ConnectError::PasswordUnsaid { .. })), "{error:?}");
        assert!(heard.is_empty());
        let (error, heard) = say_password(true).await;
        assert!(matches!(error, Some(ConnectError::Cut)), "{error:?}");
        assert!(heard.windows(7).any(|window| window == b"hunter2"));
    }
}
