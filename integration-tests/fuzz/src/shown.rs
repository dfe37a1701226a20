//! What a terminal is shown, whatever a server says: no text does anything to a terminal but to be
//! read, no message can look like the line of somebody else, and nothing ends in a line end that
//! the screen puts there anyway.

use std::io;
use std::sync::LazyLock;

use chatroom_client::{ConnectError, Ended, Lost};
use chatroom_proto::chance::Chance;
use chatroom_proto::codec::decode;
use chatroom_proto::{
    Conversation, GroupName, NameError, Notification, Refusal, Request, Response, ServerFrame,
    UnixMillis, UserName,
};
use jiff::tz::{Offset, TimeZone};

use chatroom_client::app::missed_summary::MissedSummary;
use chatroom_client::app::view::{Layout, Paint, ServerTarget, View};

use crate::many_bytes;

/// How much a server says at the most.
const FRAMES_MAX: usize = 16;

/// What the continuation lines of a message begin with.
const INDENT: &str = "    ";

/// What a text takes, in bytes: some copies of what the server said, which may be pages of
/// messages.
pub fn memory_max(input: &[u8]) -> usize {
    1024 * 1024 + 64 * input.len()
}

/// East of Greenwich, and never what the machine happens to have.
pub(crate) fn zone() -> &'static TimeZone {
    static ZONE: LazyLock<TimeZone> =
        LazyLock::new(|| Offset::from_seconds(12_600).map_or(TimeZone::UTC, TimeZone::fixed));
    &ZONE
}

/// What must hold for whatever a server says.
pub fn check(input: &[u8]) {
    let mut chance = Chance::of_input(input);
    let layout = if chance.flag() { Layout::Screen } else { Layout::Lines };
    let view = View { layout, paint: Paint::new(chance.flag()), zone: zone() };
    let now = UnixMillis(u64::from(chance.any::<u16>()) << 28);
    let mut missed = None;
    for _ in 0..FRAMES_MAX {
        if chance.is_over() {
            break;
        }
        let frame = if chance.flag() {
            decode(&many_bytes(&mut chance)).ok()
        } else {
            Some(said(&mut chance))
        };
        match frame {
            Some(ServerFrame::Notification(notification)) => {
                is_notified(view, &notification, now);
                missed
                    .get_or_insert_with(|| MissedSummary::new(None, &notification))
                    .add(notification);
            }
            Some(ServerFrame::Response { result: Ok(response), .. }) => {
                is_answered(view, &response, now, &mut chance);
            }
            Some(ServerFrame::Response { result: Err(refusal), .. }) => {
                is_refused(view, &refusal, &mut chance);
            }
            None => {}
        }
    }
    if let Some(missed) = missed {
        is_harmless(&view.missed_summary(&missed, None, now));
    }
    is_warned(view, &String::from_utf8_lossy(&chance.rest()));
}

fn said(chance: &mut Chance) -> ServerFrame {
    let tag = chatroom_proto::Tag(7);
    match chance.below(3_u8) {
        0 => ServerFrame::Notification(chance.any()),
        1 => ServerFrame::Response { tag, result: Ok(chance.any()) },
        _ => ServerFrame::Response { tag, result: Err(chance.any()) },
    }
}

fn is_notified(view: View, notification: &Notification, now: UnixMillis) {
    let is_post =
        matches!(notification, Notification::GroupPost { .. } | Notification::PrivatePost { .. });
    let me = UserName::parse("Jim").ok();
    let me = me.as_ref();
    let texts = [
        view.notification(notification, me),
        view.elsewhere().notification(notification, me),
        view.replayed(notification, me, now),
    ];
    for text in texts.into_iter().flatten() {
        is_harmless(&text);
        let mut more = text.lines().skip(1);
        match view.layout {
            Layout::Lines => assert_eq!(more.next(), None, "an event is a line: {text:?}"),
            Layout::Screen => assert!(
                more.all(|line| is_post && line.starts_with(INDENT)),
                "a line that nobody said: {text:?}"
            ),
        }
    }
    if let Notification::Closing(reason) = notification {
        is_harmless(&view.lost(&Lost::Closed(*reason)));
        is_harmless(
            &view.ended(&Ended::GaveUp(Lost::Closed(*reason)), &target("host")).unwrap_or_default(),
        );
        is_harmless(&view.connect_error(&ConnectError::Closed(*reason), &target("host")));
    }
}

fn is_answered(view: View, response: &Response, now: UnixMillis, chance: &mut Chance) {
    let (request, me): (Request, UserName) = (chance.request(), chance.any());
    is_harmless(&view.answer(&request, response, &me, now).unwrap_or_default());
    match response {
        Response::Groups { groups, .. } => is_harmless(&view.groups(groups.as_slice())),
        Response::Users { users, .. } => is_harmless(&view.users(users.as_slice())),
        Response::Past { posts, .. } => {
            is_harmless(&view.found(posts.as_slice(), (None, now)));
            if let Some(first) = posts.as_slice().first() {
                is_harmless(&view.history(&first.place, (posts.as_slice(), &[]), (None, now)));
                is_harmless(&view.history(&first.place, (&[], &[]), (None, now)));
                is_harmless(&view.missed(std::slice::from_ref(&first.place)).unwrap_or_default());
            }
        }
        Response::WelcomeInLife { welcome, .. } => {
            let groups: Vec<GroupName> = welcome
                .groups
                .as_slice()
                .iter()
                .map(|membership| membership.group.clone())
                .collect();
            is_harmless(&view.back(welcome.resumed, &groups));
            groups.iter().for_each(|group| is_harmless(&view.earlier(group, welcome.retention)));
            is_harmless(&view.sent_next_time(1, &welcome.name).unwrap_or_default());
        }
        _ => {}
    }
}

fn is_refused(view: View, refusal: &Refusal, chance: &mut Chance) {
    let request = chance.request();
    let group: GroupName = chance.any();
    is_harmless(&view.refusal(&request, refusal, None));
    is_harmless(&view.refusal(&Request::Ping, refusal, Some(group.as_str())));
    is_harmless(&view.not_rejoined(&group, refusal));
    is_harmless(&view.ended(&Ended::Refused(refusal.clone()), &target("host")).unwrap_or_default());
    is_harmless(&view.connect_error(&ConnectError::Refused(refusal.clone()), &target("host")));
}

/// A server, at this host.
fn target(host: &str) -> ServerTarget {
    ServerTarget {
        host: host.to_owned(),
        port: 9_000,
        name: Some("Jim".to_owned()),
        known_hosts: None,
    }
}

/// What nobody has checked comes from the operating system, from a file's name, from what is typed,
/// from a server that is none.
fn is_warned(view: View, text: &str) {
    is_harmless(&view.connect_error(&ConnectError::Garbled(text.to_owned()), &target(text)));
    is_harmless(&view.connect_error(
        &ConnectError::Unreachable(io::Error::other(text.to_owned())),
        &target(text),
    ));
    is_harmless(&view.ended(&Ended::Garbled(text.to_owned()), &target("host")).unwrap_or_default());
    is_harmless(&view.connecting(text, 9_000));
    is_harmless(&view.unreadable(text));
    is_harmless(&view.no_state(text, text));
    is_harmless(&view.damaged_state(text));
    is_harmless(&view.no_history(text, text));
    is_harmless(&view.no_output(text));
    if let Err(error) = UserName::parse(text) {
        is_harmless(&view.bad_name(text, &error));
    }
    if let Some(c) = text.chars().next() {
        is_harmless(&view.bad_name(text, &NameError::Forbidden(c)));
    }
    if let Ok(group) = GroupName::parse(text) {
        is_harmless(&view.missed(&[Conversation::Group(group)]).unwrap_or_default());
    }
}

/// What must hold for a text that goes to a terminal.
pub(crate) fn is_harmless(text: &str) {
    assert!(!text.ends_with('\n'), "the screen ends the line: {text:?}");
    let mut bare = text;
    while let Some((before, behind)) = bare.split_once('\u{1b}') {
        has_no_power(before, text);
        bare = behind_colour(behind)
            .unwrap_or_else(|| panic!("an escape sequence that is no colour: {text:?}"));
    }
    has_no_power(bare, text);
}

/// What follows a colour: `[`, digits and semicolons, `m`.
fn behind_colour(text: &str) -> Option<&str> {
    text.strip_prefix('[')?
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
        .strip_prefix('m')
}

fn has_no_power(part: &str, text: &str) {
    let is_powerful = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}')
            || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!part.contains(is_powerful), "{text:?}");
}
