//! What a line asks the server.

use chatroom_proto::Request;

use crate::app::command;
use crate::app::lines::Typed;
use crate::client::new_post_id;

/// What somebody asks the server with this; nothing when it is this program's own business, as
/// leaving is.
pub(super) fn request_in(typed: Typed) -> Option<Request> {
    match typed {
        Typed::Request(request) => Some(*request),
        Typed::Line(line) => match command::parse(&line) {
            Ok(command) => command?.into_request(new_post_id()),
            Err(_) => None,
        },
        Typed::Secret(_) | Typed::Unreadable(_) | Typed::End => None,
    }
}

/// Whether this says something to somebody.
pub(super) fn is_post(request: &Request) -> bool {
    matches!(request, Request::Public { .. } | Request::Private { .. })
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Password;

    use super::*;

    #[test]
    fn what_was_typed_last_is_undone_unless_it_asks_for_nothing() {
        let line = |text: &str| Typed::Line(text.to_owned());
        let password = Password::try_from("hunter2".to_owned()).unwrap();
        for asks in [
            Typed::Request(Box::new(Request::Register { password })),
            line("users"),
            line("join tea"),
        ] {
            assert!(request_in(asks).is_some());
        }
        for asks_nothing in
            [line("exit"), line("help"), line("ignore"), line("jion tea"), line(""), Typed::End]
        {
            assert!(request_in(asks_nothing).is_none());
        }
    }
}
