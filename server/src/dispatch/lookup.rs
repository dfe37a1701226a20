//! What a client looks up: history, search, and a post that is to be deleted. One of these is under
//! way for each connection at the most.

use chatroom_proto::{Refusal, Seq};

use crate::chat::effect::{Input, Read};
use crate::chat::entry::RequestId;
use crate::dispatch::handle::{DispatchHandle, Message};
use crate::dispatch::recent_deletions::past;
use crate::storage::archive::{Archive, FoundPosts, ReadError};

/// Looks something up in the archive, if there is one, and hands in what is found.
pub(crate) async fn send(
    archive: Option<Archive>,
    read: Read,
    RequestId { connection, tag }: RequestId,
    handle: DispatchHandle,
) {
    let head = read.head;
    let found = match archive {
        Some(archive) => archive.read(read).await,
        None => Err(ReadError::Stopped),
    };
    let result = found
        .map(|FoundPosts { posts, deleted, next }| past(posts, deleted, next))
        .map_err(refusal);
    let result = Box::new(result);
    // A server that has stopped answers nobody.
    let _ = handle.send(Message::Input(Input::Found { connection, tag, result, head })).await;
}

/// Finds the post at a place, for one who wants it to be deleted, in an archive that knows
/// everything up to `head`.
pub(crate) async fn find(
    archive: Option<Archive>,
    (post, head): (Seq, Seq),
    RequestId { connection, tag }: RequestId,
    handle: DispatchHandle,
) {
    let found = match archive {
        Some(archive) => archive.find(post, head).await,
        None => Err(ReadError::Stopped),
    };
    let result = match found {
        Ok(found) => found.ok_or(Refusal::NoSuchPost { post }),
        Err(error) => Err(refusal(error)),
    };
    let result = Box::new(result);
    // A server that has stopped answers nobody.
    let _ = handle.send(Message::Input(Input::FoundPost { connection, tag, result })).await;
}

fn refusal(error: ReadError) -> Refusal {
    match error {
        ReadError::NoWords => Refusal::NoWords,
        ReadError::TookTooLong => Refusal::TookTooLong,
        ReadError::Stopped => Refusal::Unavailable,
    }
}
