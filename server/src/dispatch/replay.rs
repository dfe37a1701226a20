//! What a client missed, on its way from the archive into its outbox: part by part, as fast as the
//! client reads.

use std::sync::Arc;

use chatroom_proto::{CloseReason, Notification, Seq, ServerFrame, codec};
use tracing::error;

use crate::chat::effect::Replay;
use crate::dispatch::outbox::Outbox;
use crate::dispatch::recent_deletions::RecentDeletions;
use crate::storage::archive::{Archive, Missed};

/// Since this version a client that catches up is told how memberships ended. An older one takes
/// that for news, and so leaves a group that it is in again.
const ENDS_SINCE: u16 = 2;

/// Sends everything that was missed, and then lets through what the outbox has held meanwhile. A
/// client that can't be told everything is hung up on: it comes back, and goes on from where it has
/// come to.
pub(crate) async fn send(
    archive: Archive,
    mut replay: Replay,
    outbox: Outbox,
    deletions: Arc<RecentDeletions>,
) {
    let version = outbox.version();
    if version < ENDS_SINCE {
        replay.ends.clear();
    }
    let to_frames = |part| encode(part, version);
    while replay.after < replay.until {
        let part = tokio::select! {
            biased;
            part = archive.replay(replay.clone()) => part,
            () = outbox.closed_to_replay() => return,
        };
        let frames = part
            .map_err(|error| error!(%error, "can't read what a client missed"))
            .map(|part| with_ends(part, &replay))
            // The archive may have read it before it was deleted.
            .and_then(|part| deletions.amended(part, replay.until, to_frames));
        let Ok((frames, reached)) = frames else { return outbox.close(Some(CloseReason::Failed)) };
        if !frames.is_empty() && outbox.catch_up(&frames).await.is_none() {
            return;
        }
        replay.after = reached;
    }
    let caught_up = to_frames(Missed {
        notifications: vec![Notification::CaughtUp { seq: replay.until }],
        reached: replay.until,
    });
    let Ok((frames, _)) = caught_up else { return outbox.close(Some(CloseReason::Failed)) };
    if outbox.catch_up(&frames).await.is_some() {
        outbox.go_live();
    }
}

/// Puts in how memberships ended, each in its place.
fn with_ends(mut part: Missed, replay: &Replay) -> Missed {
    let is_in = |end: &&Notification| {
        end.seq().is_some_and(|seq| replay.after < seq && seq <= part.reached)
    };
    part.notifications.extend(replay.ends.iter().filter(is_in).cloned());
    part.notifications.sort_by_key(Notification::seq);
    part
}

/// Frames in words of this version.
fn encode(part: Missed, version: u16) -> Result<(Vec<u8>, Seq), ()> {
    let mut frames = Vec::new();
    let notifications = part.notifications.into_iter().map(ServerFrame::Notification);
    for frame in notifications.filter_map(|frame| frame.in_version(version)) {
        codec::encode_into(&frame, &mut frames)
            .map_err(|error| error!(%error, "a post that was missed could not be encoded"))?;
    }
    Ok((frames, part.reached))
}
