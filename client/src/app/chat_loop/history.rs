//! What is read back, in pages.

use chatroom_proto::{
    ArchivedPost, Conversation, DeletedPost, Request, Response, Seq, UnixMillis, UserName,
};

use crate::app::ignore::Ignored;
use crate::app::view::View;

/// A history, or what was found, of which some pages are here: the newest first.
pub(super) struct PartialHistory {
    /// What is asked for next.
    request: Request,
    said: Vec<ArchivedPost>,
    deleted: Vec<DeletedPost>,
}

impl PartialHistory {
    /// Nothing for what asks for no past.
    pub(super) fn new(request: &Request) -> Option<PartialHistory> {
        match request {
            Request::History { .. } | Request::Search { .. } => {
                let request = request.clone();
                Some(PartialHistory { request, said: Vec::new(), deleted: Vec::new() })
            }
            _ => None,
        }
    }

    /// Of which conversation it is, if it is of one.
    pub(super) fn conversation(&self) -> Option<&Conversation> {
        match &self.request {
            Request::History { of, .. } => Some(of),
            _ => None,
        }
    }

    /// Adds a page; tells what to ask for next, when more was wanted and there is more. Pages that
    /// run in a circle, or bring nothing, end it.
    pub(super) fn add(&mut self, page: Response) -> Option<Request> {
        let (posts, deleted, next) = match page {
            Response::Past { posts, next } => (posts.into_vec(), Vec::new(), next),
            Response::PastWithDeleted { posts, deleted, next } => {
                (posts.into_vec(), deleted.into_vec(), next)
            }
            _ => return None,
        };
        let (Request::History { before, count, .. } | Request::Search { before, count, .. }) =
            &mut self.request
        else {
            return None;
        };
        let room = usize::from(*count);
        let items = (posts.len() + deleted.len()).min(room);
        *count = count.saturating_sub(u16::try_from(items).unwrap_or(u16::MAX));
        let is_empty = items == 0;
        self.said.extend(posts.into_iter().take(room));
        self.deleted.extend(deleted.into_iter().take(room));
        let goes_back =
            |next: &Seq| *next != Seq::ZERO && (*before == Seq::ZERO || *next < *before);
        let next = next.filter(|next| *count > 0 && !is_empty && goes_back(next))?;
        *before = next;
        Some(self.request.clone())
    }

    /// All of it, but for what those said who are ignored.
    pub(super) fn text(
        mut self,
        view: View,
        ignored: &Ignored,
        (me, now): (&UserName, UnixMillis),
    ) -> String {
        let reader = (Some(me), now);
        let all = self.said.len();
        self.said.retain(|said| !ignored.said(&said.post));
        self.deleted.retain(|post| !ignored.has(&post.from));
        let left_out = all - self.said.len();
        let text = match &self.request {
            _ if self.said.is_empty() && self.deleted.is_empty() && left_out > 0 => {
                return view.left_out(left_out);
            }
            Request::History { of, .. } => view.history(of, (&self.said, &self.deleted), reader),
            _ => view.found(&self.said, reader),
        };
        if left_out > 0 { format!("{text}\n{}", view.left_out(left_out)) } else { text }
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, GroupName, Page, Post, PostId, UserName};

    use super::*;

    fn said(seq: u64) -> ArchivedPost {
        let group = GroupName::parse("tea").unwrap();
        let (from, body) = (UserName::parse("Ann").unwrap(), Body::parse("hi").unwrap());
        let post = Post {
            seq: Seq(seq),
            prev: Seq(seq - 1),
            at: UnixMillis(0),
            id: PostId([0; 16]),
            from,
            body,
        };
        ArchivedPost { place: Conversation::Group(group), post }
    }

    fn page(seqs: &[u64], next: Option<u64>) -> Response {
        Response::Past { posts: Page::fill(seqs.iter().copied().map(said)), next: next.map(Seq) }
    }

    fn asking(count: u16) -> (PartialHistory, Conversation) {
        let of = Conversation::Group(GroupName::parse("tea").unwrap());
        (
            PartialHistory::new(&Request::History { of: of.clone(), before: Seq::ZERO, count })
                .unwrap(),
            of,
        )
    }

    #[test]
    fn pages_are_fetched_until_there_are_as_many_as_were_asked_for() {
        let (mut past, of) = asking(5);
        let next = past.add(page(&[9, 8], Some(8)));
        assert_eq!(next, Some(Request::History { of: of.clone(), before: Seq(8), count: 3 }));
        let next = past.add(page(&[7, 6], Some(6)));
        assert_eq!(next, Some(Request::History { of, before: Seq(6), count: 1 }));
        assert_eq!(past.add(page(&[5, 4], Some(4))), None);
        let seqs: Vec<_> = past.said.iter().map(|said| said.post.seq.0).collect();
        assert_eq!(seqs, [9, 8, 7, 6, 5], "and no more than that");
    }

    #[test]
    fn what_was_deleted_counts_like_the_rest() {
        let (mut past, of) = asking(3);
        let of_page = |seqs: &[u64], gone: u64| Response::PastWithDeleted {
            posts: Page::fill(seqs.iter().copied().map(said)),
            deleted: Page::fill([said(gone).post.deleted(UserName::parse("Ann").unwrap())]),
            next: Some(Seq(8)),
        };
        let next = past.add(of_page(&[9], 8));
        assert_eq!(next, Some(Request::History { of, before: Seq(8), count: 1 }));
        assert_eq!(past.add(page(&[7], Some(7))), None);
        let reader = (&UserName::parse("Jim").unwrap(), UnixMillis(0));
        let text = past.text(View::plain(), &Ignored::default(), reader);
        let told: Vec<_> = text.lines().map(|line| line.contains("removed by Ann")).collect();
        assert_eq!(told, [false, true, false], "in its place: {text}");
    }

    #[test]
    fn there_may_be_less() {
        let (mut past, _) = asking(5);
        assert_eq!(past.add(page(&[9], None)), None);
    }

    #[test]
    fn pages_that_run_in_a_circle_or_are_empty_end() {
        let (mut past, _) = asking(1_000);
        assert!(past.add(page(&[9], Some(9))).is_some());
        assert_eq!(past.add(page(&[9], Some(9))), None);
        let (mut past, _) = asking(1_000);
        assert_eq!(past.add(page(&[], Some(9))), None);
    }
}
