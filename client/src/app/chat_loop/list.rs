//! A list that comes in pages.

use crate::limits::LIST_ITEMS_MAX;
use chatroom_proto::{GroupName, Refusal, Request, Response, Seq, UserName};

use crate::app::completer::ListRequest;
use crate::app::view::View;

/// A list of which some pages are here.
pub(super) struct List {
    pub(super) what: ListRequest,
    pub(super) groups: Vec<GroupName>,
    pub(super) users: Vec<UserName>,
    /// What the latest page was asked for with.
    after: Seq,
    /// Whether a command asked for it, and not this program for itself.
    pub(super) is_shown: bool,
}

impl ListRequest {
    /// The request for one page of this list.
    pub(super) fn page(self, after: Seq) -> Request {
        match self {
            ListRequest::Groups => Request::Groups { after },
            ListRequest::Users => Request::Users { after },
        }
    }
}

impl List {
    pub(super) fn new(what: ListRequest, is_shown: bool) -> List {
        List { what, groups: Vec::new(), users: Vec::new(), after: Seq::ZERO, is_shown }
    }

    /// Adds a page; tells where the next begins. A list that runs in a circle, or is longer than
    /// any, ends.
    pub(super) fn add(&mut self, page: Result<Response, Refusal>) -> Option<Seq> {
        let next = match page {
            Ok(Response::Groups { groups, next }) => {
                self.groups.extend(groups.into_vec());
                next
            }
            Ok(Response::Users { users, next }) => {
                self.users.extend(users.into_vec());
                next
            }
            _ => None,
        };
        let has_room = self.groups.len() + self.users.len() < LIST_ITEMS_MAX;
        let next = next.filter(|next| has_room && *next > self.after)?;
        self.after = next;
        Some(next)
    }

    pub(super) fn text(&self, view: View) -> String {
        match self.what {
            ListRequest::Groups => view.groups(&self.groups),
            ListRequest::Users => view.users(&self.users),
        }
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Page;

    use super::*;

    fn page(names: &[&str], next: Option<u64>) -> Result<Response, Refusal> {
        let users = Page::fill(names.iter().map(|name| UserName::parse(name).unwrap()));
        Ok(Response::Users { users, next: next.map(Seq) })
    }

    #[test]
    fn pages_are_put_together_until_the_last() {
        let mut list = List::new(ListRequest::Users, true);
        assert_eq!(list.add(page(&["a", "b"], Some(7))), Some(Seq(7)));
        assert_eq!(list.add(page(&["c"], None)), None);
        let names: Vec<_> = list.users.iter().map(UserName::as_str).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_list_that_runs_in_a_circle_ends() {
        let mut list = List::new(ListRequest::Users, true);
        assert_eq!(list.add(page(&[], Some(7))), Some(Seq(7)));
        assert_eq!(list.add(page(&[], Some(7))), None);
    }
}
