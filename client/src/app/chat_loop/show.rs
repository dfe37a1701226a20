//! What becomes of events on the screen.

use crate::event::Event;
use chatroom_proto::{
    Conversation, GroupName, Notification, Refusal, Request, Response, Retention, Seq, Tag,
};

use tokio::time::Instant;

use super::chat::{ChatLoop, HeldRefusal, OWN_POSTS_MAX};
use super::parts::ChatOutcome;
use super::request::is_post;
use crate::app::arrival;
use crate::app::clock;
use crate::app::completer::ListRequest;
use crate::app::missed_summary::MissedSummary;
use crate::app::screen::{OutputGone, Screen};
use crate::app::view::Layout;

impl ChatLoop {
    /// Shows one event; tells when it was the last.
    pub(super) async fn show_event(
        &mut self,
        screen: &Screen,
        event: Event,
    ) -> Result<Option<ChatOutcome>, OutputGone> {
        let view = self.parts.view;
        match event {
            Event::Notification(notification) => {
                self.show_notification(screen, &notification).await?;
            }
            Event::Replayed(notification) => self.show_replayed(screen, notification).await?,
            Event::CaughtUp => {
                self.show_missed_summary(screen).await?;
                self.away_since = None;
            }
            Event::Answer { ref tag, .. } if self.lists.contains_key(tag) => {
                if let Some(list) = self.take_page(event).await {
                    self.in_flight -= 1;
                    self.take_in(&list);
                    screen.say(list.text(view)).await?;
                }
            }
            Event::Answer { ref tag, ref result, .. } if self.sought.contains_key(tag) => {
                if let Some(name) = self.sought.remove(tag) {
                    self.found(screen, &name, result).await?;
                }
            }
            Event::Answer { tag, result: Ok(page), .. } if self.histories.contains_key(&tag) => {
                self.show_page(screen, tag, page).await?;
            }
            Event::Answer { tag, request, result } => {
                self.histories.remove(&tag);
                let waited = self.unsent.answered(tag).filter(|_| result.is_ok());
                if let Some(begins) = waited {
                    screen.note(view.sent_after_all(&begins)).await?;
                }
                self.show_answer(screen, request, result).await?;
            }
            Event::Lost(lost) => {
                self.be_away();
                screen.note(view.lost(&lost)).await?;
            }
            Event::Back { resumed, groups, missed } => {
                self.show_back(screen, resumed, &groups, &missed).await?;
            }
            Event::PutBack { to } => {
                // Other messages may be there now.
                self.own_posts.retain(|post| *post <= to);
                screen.note(view.put_back()).await?;
            }
            Event::Rejoined { group, missed } => {
                self.parts.directory.rejoined(&group);
                self.changed();
                let missed = missed.then_some(Conversation::Group(group));
                self.note_missed(screen, missed.as_slice()).await?;
            }
            Event::NotRejoined { group, refusal } => {
                screen.note(view.not_rejoined(&group, &refusal)).await?;
                self.close_if_out(screen).await?;
            }
            Event::Missed(conversation) => self.note_missed(screen, &[conversation]).await?,
            Event::Slowed { wait, waiting } => screen.note(view.slowed(wait, waiting)).await?,
            Event::Ended(ended) => {
                self.show_missed_summary(screen).await?;
                return Ok(Some(ChatOutcome::Ended(ended)));
            }
        }
        Ok(None)
    }

    /// There is a connection again.
    async fn show_back(
        &mut self,
        screen: &Screen,
        resumed: bool,
        groups: &[GroupName],
        missed: &[GroupName],
    ) -> Result<(), OutputGone> {
        self.lost_with = None;
        let left = self.parts.directory.set_own_groups(groups);
        self.changed();
        let view = self.parts.view;
        screen.note(view.back(resumed, missed)).await?;
        if !resumed {
            // In a new session the link joins these again, and says whether it could.
            return Ok(());
        }
        for group in &left {
            screen.note(view.put_out(group)).await?;
        }
        self.close_if_out(screen).await
    }

    /// Something happened just now.
    async fn show_notification(
        &mut self,
        screen: &Screen,
        notification: &Notification,
    ) -> Result<(), OutputGone> {
        self.parts.directory.notified(notification);
        self.changed();
        self.forget_if_deleted(notification);
        if self.parts.ignore.ignored.hides(notification) {
            return Ok(());
        }
        self.count_unread(notification, false);
        let (me, open) = (&self.parts.name, self.parts.open.get());
        let view = match arrival::is_elsewhere(notification, me, open.as_ref()) {
            true => self.parts.view.elsewhere(),
            false => self.parts.view,
        };
        let text = view.notification(notification, Some(me));
        if let Some(text) = text {
            let now = clock::now();
            let text = match self.parts.times.are_on() {
                true => {
                    let is_new_day = self.parts.times.turn_page(view.day(now));
                    view.at_time(&text, now, is_new_day)
                }
                false => text,
            };
            let bell = self.parts.settings.choices.bell;
            if bell.rings_for(notification, &self.parts.name) {
                screen.ring(text).await?;
            } else {
                screen.say(text).await?;
            }
        }
        self.close_if_out(screen).await
    }

    /// What somebody has deleted can't be taken back any more.
    fn forget_if_deleted(&mut self, said: &Notification) {
        if let Notification::Deleted { post, .. } = said {
            self.own_posts.retain(|own| own != post);
        }
    }

    /// Notes what this person has said, and what they have taken back.
    fn note_own(&mut self, request: &Request, result: &Result<Response, Refusal>) {
        match (request, result) {
            (_, Ok(Response::Posted { seq, .. } | Response::Kept { seq, .. })) => {
                self.own_posts.push_back(*seq);
                if self.own_posts.len() > OWN_POSTS_MAX {
                    self.own_posts.pop_front();
                }
            }
            (
                Request::Delete { post },
                Ok(Response::Deleted { .. })
                | Err(Refusal::AlreadyDeleted { .. } | Refusal::NoSuchPost { .. }),
            ) => self.own_posts.retain(|own| own != post),
            // It is there still.
            (Request::Delete { post }, Err(_)) if self.own_posts.back() < Some(post) => {
                self.own_posts.push_back(*post);
            }
            _ => {}
        }
    }

    /// The connection is lost: what is not done now is counted, and since when.
    fn be_away(&mut self) {
        let due = self.due_now();
        self.lost_with.get_or_insert(due);
        self.away_since.get_or_insert_with(clock::now);
    }

    /// A person gets what was missed at once, with a word about it; a program as it comes.
    async fn show_replayed(
        &mut self,
        screen: &Screen,
        said: Notification,
    ) -> Result<(), OutputGone> {
        let view = self.parts.view;
        let is_message = matches!(
            said,
            Notification::GroupPost { .. }
                | Notification::PrivatePost { .. }
                | Notification::DeletedPost { .. }
        );
        if !is_message {
            self.forget_if_deleted(&said);
            if self.parts.ignore.ignored.hides(&said) {
                return Ok(());
            }
            // How a membership has ended: in which groups this one is now is known. Or that
            // something was deleted that was shown before.
            return match view.notification(&said, Some(&self.parts.name)) {
                Some(text) => screen.say(text).await,
                None => Ok(()),
            };
        }
        self.parts.directory.notified(&said);
        self.changed();
        if self.parts.ignore.ignored.hides(&said) {
            return Ok(());
        }
        self.count_unread(&said, true);
        if view.layout == Layout::Screen {
            let since = self.away_since;
            self.missed_summary.get_or_insert_with(|| MissedSummary::new(since, &said)).add(said);
            return Ok(());
        }
        match view.replayed(&said, Some(&self.parts.name), clock::now()) {
            Some(text) => screen.say(text).await,
            None => Ok(()),
        }
    }

    async fn show_missed_summary(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        match self.missed_summary.take() {
            Some(missed_summary) => {
                let (view, me) = (self.parts.view, Some(&self.parts.name));
                screen.say(view.missed_summary(&missed_summary, me, clock::now())).await
            }
            None => Ok(()),
        }
    }

    /// Takes one page of what is read back, and asks for the next, or shows it when it is all.
    async fn show_page(
        &mut self,
        screen: &Screen,
        tag: Tag,
        page: Response,
    ) -> Result<(), OutputGone> {
        let Some(mut past) = self.histories.remove(&tag) else { return Ok(()) };
        if let Some(next) = past.add(page)
            && let Ok(tag) = self.parts.client.submit(next).await
        {
            self.histories.insert(tag, past);
            return Ok(());
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(place) = past.conversation() {
            self.unread.seen(place);
        }
        let text = past.text(
            self.parts.view,
            &self.parts.ignore.ignored,
            (&self.parts.name, clock::now()),
        );
        screen.say(text).await
    }

    /// Says which messages the server has not accepted yet.
    pub(super) async fn mark_unsent(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        for begins in self.unsent.mark(Instant::now()) {
            screen.note(self.parts.view.not_sent_yet(&begins)).await?;
        }
        Ok(())
    }

    async fn note_missed(
        &self,
        screen: &Screen,
        missed: &[Conversation],
    ) -> Result<(), OutputGone> {
        match self.parts.view.missed(missed) {
            Some(text) => screen.note(text).await,
            None => Ok(()),
        }
    }

    async fn show_answer(
        &mut self,
        screen: &Screen,
        request: Request,
        result: Result<Response, Refusal>,
    ) -> Result<(), OutputGone> {
        self.posts_in_flight = self.posts_in_flight.saturating_sub(usize::from(is_post(&request)));
        self.note_own(&request, &result);
        match result {
            Ok(Response::Goodbye) => Ok(()),
            Ok(response) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.parts.directory.answered(&request, &response);
                self.changed();
                let (view, me) = (self.parts.view, &self.parts.name);
                let text = view.answer(&request, &response, me, clock::now());
                if let Some(text) = text {
                    screen.say(text).await?;
                }
                if matches!(response, Response::Left { .. }) {
                    self.close_if_out(screen).await?;
                }
                self.ask_on(&request, &response).await;
                self.offer_earlier(screen, &response).await
            }
            Err(refusal) => {
                let list = match refusal {
                    Refusal::NoSuchGroup { .. } => Some(ListRequest::Groups),
                    Refusal::NoSuchUser { .. } => Some(ListRequest::Users),
                    _ => None,
                };
                let waits = match list {
                    Some(list) if !self.is_fresh(list) => self.fetch(list).await.is_ok(),
                    _ => false,
                };
                let list = list.unwrap_or(ListRequest::Groups);
                self.held = Some(HeldRefusal { request, refusal, list });
                if waits { Ok(()) } else { self.release(screen).await }
            }
        }
    }

    /// Asks for the next page of a list that is shown page by page. One that runs in a circle ends.
    async fn ask_on(&mut self, request: &Request, response: &Response) {
        let next = match (request, response) {
            (Request::Clients { after }, Response::Clients { next: Some(next), .. })
                if next > after =>
            {
                Request::Clients { after: *next }
            }
            (Request::ServerBans { after }, Response::ServerBans { next: Some(next), .. })
                if next > after =>
            {
                Request::ServerBans { after: *next }
            }
            _ => return,
        };
        if self.parts.client.submit(next).await.is_ok() {
            self.in_flight += 1;
        }
    }

    /// One who has come into a group is told how to read what was said there before they came to
    /// the server.
    async fn offer_earlier(&self, screen: &Screen, response: &Response) -> Result<(), OutputGone> {
        let Response::Joined { membership, .. } = response else { return Ok(()) };
        let is_earlier = membership.head > Seq::ZERO && membership.head <= self.parts.arrived;
        let view = self.parts.view;
        if view.layout != Layout::Screen
            || self.parts.retention == Retention::Nothing
            || !is_earlier
        {
            return Ok(());
        }
        screen.note(view.earlier(&membership.group, self.parts.retention)).await
    }

    /// Shows the refusal that is held.
    pub(super) async fn release(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        let Some(HeldRefusal { request, refusal, .. }) = self.held.take() else { return Ok(()) };
        self.in_flight = self.in_flight.saturating_sub(1);
        self.has_failed = true;
        let directory = &self.parts.directory;
        let meant = match &refusal {
            Refusal::NoSuchGroup { group } => directory.group_like(group),
            Refusal::NoSuchUser { name } => directory.user_like(name),
            _ => None,
        };
        screen.say(self.parts.view.refusal(&request, &refusal, meant)).await
    }
}
