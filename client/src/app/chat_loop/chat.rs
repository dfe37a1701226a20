//! The loop: whatever comes next, from the keyboard or from the server, is taken in its turn.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::Arc;

use crate::error::{AskError, Ended};
use crate::event::{Event, Receipt};
use chatroom_proto::{Refusal, Request, Seq, Tag, UnixMillis, UserName};
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::history::PartialHistory;
use super::list::List;
use super::parts::{ChatOutcome, Parts, Undone};
use super::request::request_in;
use crate::app::completer::ListRequest;
use crate::app::lines::Typed;
use crate::app::missed_summary::MissedSummary;
use crate::app::screen::{OutputGone, Screen};
use crate::app::unread::UnreadMessages;
use crate::app::unsent::Unsent;

/// How long it may take when a signal ends the program.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// How often the completer gets to see what has changed: a busy group changes a lot, and nobody
/// types that fast.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// The most events that wait behind a refusal, while the list for its "did you mean" is fetched.
const HELD_EVENTS_MAX: usize = 256;

/// How many of one's own messages can be taken back one after the other without their numbers.
pub(super) const OWN_POSTS_MAX: usize = 100;

/// One person's chat.
pub(crate) struct ChatLoop {
    pub(super) parts: Parts,
    /// Commands without an answer.
    pub(super) in_flight: usize,
    /// Messages among these.
    pub(super) posts_in_flight: usize,
    /// Of these, what people are told when it waits.
    pub(super) unsent: Unsent,
    pub(super) lists: HashMap<Tag, List>,
    pub(super) histories: HashMap<Tag, PartialHistory>,
    /// Who was put on the list of those who are ignored, and may be nobody.
    pub(super) sought: HashMap<Tag, UserName>,
    /// Where this person has said something in this run that is there still, the newest last.
    pub(super) own_posts: VecDeque<Seq>,
    /// What was said while this person was away, until all of it is here.
    pub(super) missed_summary: Option<MissedSummary>,
    /// What was said where they did not look.
    pub(super) unread: UnreadMessages,
    /// When they went away, as far as that is known.
    pub(super) away_since: Option<UnixMillis>,
    pub(super) held: Option<HeldRefusal>,
    /// For the newest event that was taken, until everything up to it is handed to the screen.
    pub(super) receipt: Option<Receipt>,
    /// Events in order, to be shown once what is held is.
    pub(super) pending: VecDeque<Event>,
    pub(super) publish_at: Option<Instant>,
    pub(super) leave_by: Option<Instant>,
    /// Whether `exit` was typed; what was typed before it may still wait.
    pub(super) is_leaving: bool,
    /// While the connection is lost: how many commands had no answer when it was.
    pub(super) lost_with: Option<usize>,
    pub(super) has_failed: bool,
}

/// A refusal that waits for a list, to say what may have been meant.
pub(super) struct HeldRefusal {
    pub(super) request: Request,
    pub(super) refusal: Refusal,
    pub(super) list: ListRequest,
}

impl ChatLoop {
    pub(crate) fn new(parts: Parts) -> ChatLoop {
        ChatLoop {
            in_flight: parts.sent_again,
            posts_in_flight: parts.sent_again,
            away_since: parts.last_here,
            parts,
            unsent: Unsent::default(),
            lists: HashMap::new(),
            histories: HashMap::new(),
            sought: HashMap::new(),
            own_posts: VecDeque::new(),
            missed_summary: None,
            unread: UnreadMessages::default(),
            held: None,
            receipt: None,
            pending: VecDeque::new(),
            publish_at: Some(Instant::now()),
            leave_by: None,
            is_leaving: false,
            lost_with: None,
            has_failed: false,
        }
    }

    /// Whether anything was refused, or was no command.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whose chat it is.
    pub(crate) fn name(&self) -> &UserName {
        &self.parts.name
    }

    /// How many messages have no answer, and will be sent again by the next run.
    pub(crate) fn sent_next_time(&self) -> usize {
        if self.parts.client.has_journal() { self.posts_in_flight } else { 0 }
    }

    /// How many commands will never be done when they are not done now.
    pub(super) fn due_now(&self) -> usize {
        self.in_flight.saturating_sub(self.sent_next_time())
    }

    /// Chats until the end.
    pub(crate) async fn run(&mut self, screen: &Screen) -> ChatOutcome {
        loop {
            match self.step(screen).await {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(OutputGone) => return ChatOutcome::OutputGone,
            }
        }
    }

    async fn step(&mut self, screen: &Screen) -> Result<Option<ChatOutcome>, OutputGone> {
        if self.is_leaving
            && let Some(unanswered) = self.lost_with
        {
            return Ok(Some(ChatOutcome::Away(self.undone(unanswered))));
        }
        let takes_lines =
            self.leave_by.is_none() && self.in_flight < self.parts.pace.in_flight_max();
        tokio::select! {
            event = self.parts.events.next() => {
                self.receipt = self.parts.events.receipt().or(self.receipt.take());
                let event = event.unwrap_or(Event::Ended(Ended::Left));
                let outcome = self.handle_event(screen, event).await?;
                self.sign(screen).await?;
                return Ok(outcome);
            }
            typed = self.parts.typed.recv(), if takes_lines => {
                self.handle_typed(screen, typed.unwrap_or(Typed::End)).await?;
            }
            () = self.parts.left.notified() => self.is_leaving = true,
            Some(list) = self.parts.list_requests.recv() => self.handle_list_request(list).await,
            () = until(self.publish_at) => self.publish(),
            () = until(self.unsent.next()) => self.mark_unsent(screen).await?,
            () = screen.gone() => return Err(OutputGone),
            () = until(self.leave_by) => return Ok(Some(ChatOutcome::Unanswered(self.due_now()))),
        }
        Ok(None)
    }

    /// Has it written down that everything up to here is shown, once it is. What is held back here
    /// is not; one who is killed before that is told again the next time.
    async fn sign(&mut self, screen: &Screen) -> Result<(), OutputGone> {
        if self.held.is_some() || self.missed_summary.is_some() || !self.pending.is_empty() {
            return Ok(());
        }
        match self.receipt.take() {
            Some(receipt) => screen.sign(receipt).await,
            None => Ok(()),
        }
    }

    /// Counts what is not done when the connection is lost and so much had no answer then. Messages
    /// that were typed since are left to the next run.
    fn undone(&mut self, unanswered: usize) -> Undone {
        let due = self.due_now();
        let unanswered = unanswered.min(due);
        let mut unsent = due - unanswered;
        while let Ok(typed) = self.parts.typed.try_recv() {
            match request_in(typed) {
                Some(request) if self.parts.client.leave_for_next_time(&request) => {
                    self.posts_in_flight += 1;
                    self.in_flight += 1;
                }
                Some(_) => unsent += 1,
                None => {}
            }
        }
        Undone { unanswered, unsent }
    }

    /// Says goodbye without showing anything more, and does not wait long.
    pub(crate) async fn farewell(self) {
        drop(self.parts.events);
        if self.lost_with.is_some() {
            return;
        }
        let _ = timeout(FAREWELL_WAIT, self.parts.client.exit()).await;
    }

    async fn handle_list_request(&mut self, list: ListRequest) {
        if !self.is_fresh(list) && self.lost_with.is_none() {
            // Without an answer there is less to complete, and that is all.
            let _ = self.fetch(list).await;
        }
    }

    pub(super) fn is_fresh(&self, list: ListRequest) -> bool {
        let now = Instant::now();
        match list {
            ListRequest::Groups => self.parts.directory.knows_groups(now),
            ListRequest::Users => self.parts.directory.knows_users(now),
        }
    }

    /// Asks for a list that is not shown, unless it is under way.
    pub(super) async fn fetch(&mut self, list: ListRequest) -> Result<(), AskError> {
        if self.lists.values().any(|under_way| under_way.what == list && !under_way.is_shown) {
            return Ok(());
        }
        let tag = self.parts.client.submit(list.page(Seq::ZERO)).await?;
        self.lists.insert(tag, List::new(list, false));
        Ok(())
    }

    /// Lists that only this program wants are taken in at once; everything else is shown in its
    /// turn.
    async fn handle_event(
        &mut self,
        screen: &Screen,
        event: Event,
    ) -> Result<Option<ChatOutcome>, OutputGone> {
        if let Event::Answer { tag, .. } = &event
            && self.lists.get(tag).is_some_and(|list| !list.is_shown)
        {
            if let Some(list) = self.take_page(event).await {
                self.take_in(&list);
                if self.held.as_ref().is_some_and(|held| held.list == list.what) {
                    self.release(screen).await?;
                }
            }
        } else {
            let ends = matches!(event, Event::Lost(_) | Event::Ended(_));
            self.pending.push_back(event);
            if ends || self.pending.len() > HELD_EVENTS_MAX {
                self.release(screen).await?;
            }
        }
        while self.held.is_none()
            && let Some(event) = self.pending.pop_front()
        {
            if let Some(outcome) = self.show_event(screen, event).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    /// Takes one page of a list, and asks for the next; gives the list when it is complete.
    pub(super) async fn take_page(&mut self, page: Event) -> Option<List> {
        let Event::Answer { tag, result, .. } = page else { return None };
        let mut list = self.lists.remove(&tag)?;
        if let Some(next) = list.add(result)
            && let Ok(tag) = self.parts.client.submit(list.what.page(next)).await
        {
            self.lists.insert(tag, list);
            return None;
        }
        Some(list)
    }

    pub(super) fn take_in(&mut self, list: &List) {
        let now = Instant::now();
        match list.what {
            ListRequest::Groups => self.parts.directory.list_groups(&list.groups, now),
            ListRequest::Users => self.parts.directory.list_users(&list.users, now),
        }
        self.publish();
    }

    pub(super) fn changed(&mut self) {
        self.publish_at.get_or_insert_with(|| Instant::now() + PUBLISH_EVERY);
    }

    fn publish(&mut self) {
        self.publish_at = None;
        self.parts.published.store(Arc::new(self.parts.directory.clone()));
    }
}

/// That moment; without one, never.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
