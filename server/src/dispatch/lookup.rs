//! What a client looks up: history and search. One of these is under way for each connection at the
//! most.

use chatroom_proto::{Page, Refusal, Response};

use crate::chat::effect::{Input, Read};
use crate::chat::entry::RequestId;
use crate::dispatch::handle::{DispatchHandle, Message};
use crate::storage::archive::{Archive, FoundPosts, ReadError};

/// Looks something up in the archive, if there is one, and hands in what is found.
pub(crate) async fn send(
    archive: Option<Archive>,
    read: Read,
    RequestId { connection, tag }: RequestId,
    handle: DispatchHandle,
) {
    let found = match archive {
        Some(archive) => archive.read(read).await,
        None => Err(ReadError::Stopped),
    };
    let result = match found {
        Ok(FoundPosts { posts, next }) => Ok(Response::Past { posts: Page::fill(posts), next }),
        Err(ReadError::NoWords) => Err(Refusal::NoWords),
        Err(ReadError::TookTooLong) => Err(Refusal::TookTooLong),
        Err(ReadError::Stopped) => Err(Refusal::Unavailable),
    };
    let result = Box::new(result);
    // A server that has stopped answers nobody.
    let _ = handle.send(Message::Input(Input::Found { connection, tag, result })).await;
}
