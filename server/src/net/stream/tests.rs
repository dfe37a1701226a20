//! What a stream makes of its first byte, and that nothing plain is ever written behind one of TLS.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::net::tls::{ServerTls, TlsSource};

/// A client's end, and the stream at the server's.
async fn connect(takes_plain: bool) -> (TcpStream, Stream) {
    let tls = ServerTls::open(TlsSource::Memory).unwrap();
    connect_to(Offer::Tls(tls.acceptor()), takes_plain).await
}

async fn connect_to(offer: Offer, takes_plain: bool) -> (TcpStream, Stream) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
    let (server, _) = socket.accept().await.unwrap();
    (client, Stream::new(server, offer, takes_plain))
}

async fn all(mut client: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn what_begins_with_a_length_is_plain_and_is_read_from_its_first_byte_on() {
    let (mut client, mut stream) = connect(true).await;
    client.write_all(&[0, 0, 0, 1, 9]).await.unwrap();
    let mut heard = [1; 5];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [0, 0, 0, 1, 9]);
    assert!(matches!(stream, Stream::Plain(_)) && !stream.is_tls());
    stream.write_all(b"answer").await.unwrap();
    drop(stream);
    assert_eq!(all(client).await, b"answer");
}

#[tokio::test]
async fn plain_that_is_not_taken_is_an_error_that_can_be_told_in_plain() {
    let (mut client, mut stream) = connect(false).await;
    client.write_all(&[0]).await.unwrap();
    let refused = stream.read_u8().await.unwrap_err();
    assert!(refused.get_ref().is_some_and(|inner| inner.is::<PlainRefused>()), "{refused:?}");
    stream.write_all(b"use TLS").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 0, "what it sent can be read away");
    drop(stream);
    assert_eq!(all(client).await, b"use TLS");
}

#[tokio::test]
async fn one_who_says_nothing_is_told_in_plain_and_its_end_is_no_refusal() {
    let (client, mut stream) = connect(false).await;
    stream.write_all(b"too late").await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    assert_eq!(all(client).await, b"too late");

    let (mut client, mut stream) = connect(false).await;
    client.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn behind_the_first_byte_of_tls_nothing_is_written_in_plain() {
    for takes_plain in [true, false] {
        let (mut client, mut stream) = connect(takes_plain).await;
        client.write_all(&[TLS_HANDSHAKE]).await.unwrap();
        let mut buffer = [0; 1];
        let waiting =
            tokio::time::timeout(std::time::Duration::from_millis(20), stream.read(&mut buffer))
                .await;
        assert!(waiting.is_err(), "the handshake waits for the rest");
        assert!(stream.write_all(b"plain").await.is_err());
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0, "there is nobody any more");
        let mut heard = Vec::new();
        // Whether the byte that was not read resets the connection is the kernel's affair.
        let _ = client.read_to_end(&mut heard).await;
        assert_eq!(heard, b"");
    }
}

#[tokio::test]
async fn what_only_looks_like_tls_is_never_written_to_in_plain_either() {
    let (mut client, mut stream) = connect(true).await;
    client.write_all(b"\x16\x03\x01\x00\x05hello").await.unwrap();
    assert!(stream.read_u8().await.is_err());
    assert!(stream.write_all(b"plain").await.is_err());
    stream.shutdown().await.unwrap();
    drop(stream);
    const ALERT: u8 = 0x15;
    assert!(all(client).await.first().is_none_or(|&first| first == ALERT));
}

#[tokio::test]
async fn one_who_is_to_begin_tls_later_hears_nothing_but_the_end_and_plain_is_heard() {
    let (mut client, mut stream) = connect_to(Offer::Later, true).await;
    client.write_all(&[TLS_HANDSHAKE]).await.unwrap();
    let refused = stream.read_u8().await.unwrap_err();
    assert!(refused.get_ref().is_some_and(|inner| inner.is::<TooManyHandshakes>()), "{refused:?}");
    assert!(stream.write_all(b"plain").await.is_err());
    assert_eq!(stream.read_u8().await.unwrap(), TLS_HANDSHAKE, "what it sent can be read away");
    stream.shutdown().await.unwrap();
    drop(stream);
    assert_eq!(all(client).await, b"");

    let (mut client, mut stream) = connect_to(Offer::Later, true).await;
    client.write_all(&[0]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 0);
}
