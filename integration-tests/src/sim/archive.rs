//! The archive of a simulation: it reads the log some time after it is on disk, and answers late.

use std::fmt;
use std::sync::Arc;

use chatroom_proto::codec;
use chatroom_proto::{Body, Conversation, DeletedPost, Notification, Post, Seq, UnixMillis};
use chatroom_server::Restored;
use chatroom_server::chat::ChatState;
use chatroom_server::chat::effect::{Read, Replay, StoredPost};
use chatroom_server::storage::archive::{
    AgedPosts, Answer, Archive, ArchiveView, FoundPosts, Missed,
};
use futures_util::future::BoxFuture;

use super::Fault;
use super::server::LIMITS;
use super::world::World;
use crate::model::{Model, is_for};

/// What is archived. It outlives the servers that read it.
pub(super) struct Archived {
    pub(super) model: Model,
    /// How many entries it has read.
    read: usize,
}

impl Archived {
    pub(super) fn new() -> Archived {
        Archived { model: Model::new(LIMITS), read: 0 }
    }
}

impl World {
    /// The archive reads what is on disk, some time later.
    pub(super) fn archive_soon(&self) {
        self.archive_wakes.notify_one();
    }

    /// The archive reads everything that is on disk.
    pub(super) fn archive_now(&self) {
        self.with_disk(|disk| {
            self.with_archived(|archived| {
                for entry in &disk.synced()[archived.read..] {
                    archived.model.follow(entry);
                }
                archived.read = disk.synced().len();
            });
        });
    }

    fn archived_to(&self) -> Seq {
        self.with_archived(|archived| archived.model.state().head())
    }
}

/// Reads the log for ever.
pub(super) async fn follow(world: Arc<World>) {
    loop {
        world.archive_wakes.notified().await;
        world.sleep(world.between(1, if world.once_in(20) { 1_000 } else { 40 })).await;
        world.archive_now();
    }
}

/// What a server that begins finds: a view of the log, and the state as it was at some place.
pub(super) fn restore(world: &Arc<World>) -> Restored {
    // It was written down, and is read again.
    let image = world.with_archived(|archived| codec::pack(archived.model.state()));
    let image = image.expect("a state can be packed");
    let state = codec::decode::<ChatState>(&image).expect("what was packed can be unpacked");
    Restored { archive: Archive::over(View(Arc::clone(world))), state }
}

struct View(Arc<World>);

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View(..)")
    }
}

impl View {
    async fn reach(&self, head: Seq) {
        while self.0.archived_to() < head {
            self.0.sleep(10).await;
        }
    }

    /// What a device missed; with a planted bug, too little, or too much.
    fn missed(&self, replay: &Replay) -> Missed {
        let fault = self.0.fault;
        self.0.with_archived(|Archived { model, .. }| match fault {
            Some(Fault::ReplayGap) => {
                let mut missed = model.replay(replay);
                if missed.notifications.len() > 2 {
                    missed.notifications.remove(1);
                }
                missed
            }
            Some(Fault::ReplayDropped) => model.told(replay, |_| false),
            Some(Fault::ReplayOutside) => model.told(replay, |_| true),
            Some(Fault::ReplayWithoutOwn) => {
                model.told(replay, |record| record.by != replay.reader && is_for(record, replay))
            }
            Some(Fault::ReplayWithoutEnded) => {
                let mut less = replay.clone();
                less.groups.retain(|in_it| in_it.until == replay.until);
                model.replay(&less)
            }
            Some(Fault::ReplayDeleted) => {
                let mut missed = model.replay(replay);
                missed.notifications = missed.notifications.into_iter().map(with_text).collect();
                missed
            }
            Some(Fault::DeletionUnsaid) => {
                let mut missed = model.replay(replay);
                let is_deletion = |it: &Notification| matches!(it, Notification::Deleted { .. });
                missed.notifications.retain(|it| !is_deletion(it));
                missed
            }
            _ => model.replay(replay),
        })
    }
}

/// What was deleted, as if it was not.
fn with_text(told: Notification) -> Notification {
    let Notification::DeletedPost { post, place } = told else { return told };
    let DeletedPost { seq, prev, at, id, from, .. } = post;
    let post = Post { seq, prev, at, id, from, body: Body::deleted() };
    match place {
        Conversation::Group(group) => Notification::GroupPost { post, group },
        Conversation::User(to) => Notification::PrivatePost { post, to },
    }
}

impl ArchiveView for View {
    fn read(&self, read: Read) -> Answer<'_, FoundPosts> {
        Box::pin(async move {
            self.0.sleep(self.0.between(1, 80)).await;
            self.reach(read.head).await;
            self.0.with_archived(|archived| archived.model.read(&read))
        })
    }

    fn replay(&self, replay: Replay) -> Answer<'_, Missed> {
        Box::pin(async move {
            self.0.sleep(self.0.between(1, 60)).await;
            self.reach(replay.until).await;
            let mut missed = self.missed(&replay);
            // A part of it.
            let count = usize::try_from(self.0.between(1, 12)).unwrap_or(1);
            if count < missed.notifications.len() {
                missed.notifications.truncate(count);
                missed.reached =
                    missed.notifications.last().and_then(Notification::seq).unwrap_or(replay.until);
            }
            Ok(missed)
        })
    }

    fn older_than(&self, _: UnixMillis, _: UnixMillis, _: Seq) -> Answer<'_, AgedPosts> {
        // Everything is kept: nobody asks.
        Box::pin(async { Ok(AgedPosts::default()) })
    }

    fn delete(&self, _: Seq) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn find(&self, post: Seq, head: Seq) -> Answer<'_, Option<StoredPost>> {
        Box::pin(async move {
            self.0.sleep(self.0.between(1, 80)).await;
            self.reach(head).await;
            Ok(self.0.with_archived(|archived| archived.model.find(post)))
        })
    }

    fn to_erase(&self) -> Answer<'_, Vec<Seq>> {
        Box::pin(async move {
            loop {
                let posts = self.0.with_archived(|archived| archived.model.to_erase());
                if !posts.is_empty() {
                    return Ok(posts);
                }
                self.0.sleep(500).await;
            }
        })
    }

    fn erased(&self, posts: Vec<Seq>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.0.with_archived(|archived| archived.model.erased(&posts));
            Ok(())
        })
    }

    fn failed(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
