//! A server on several threads: what connections, the dispatch task and the outboxes share is
//! right whoever runs when. The program itself uses one thread; a server inside another program may
//! have more.

use std::collections::BTreeSet;

use chatroom_proto::{Notification, PostId, Request, Response, Seq, ServerFrame};
use integration_tests::test_client::{TestClient, group, post_id, public};
use integration_tests::test_server::TestServer;

const GROUPS: u64 = 3;
const MEMBERS: u64 = 8;
const POSTS: u64 = 150;
/// How many posts a member sends before it waits for their answers.
const WINDOW: u64 = 10;

/// What somebody was told of each post in a group, in the order in which it came.
type Heard = Vec<(Seq, PostId)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_four_threads_everybody_hears_everything_once_and_in_order_and_nobody_is_closed() {
    let host = TestServer::start();
    let monitor = host.monitor.clone();
    let mut rooms = Vec::new();
    for number in 0..GROUPS {
        rooms.push(fill(&host, number).await);
    }
    let talking = rooms.into_iter().enumerate().map(|(number, members)| {
        let name = room(number as u64);
        let talking = members.into_iter().enumerate().map(move |(member, guest)| {
            let first = (number as u64 * MEMBERS + member as u64) * POSTS;
            tokio::spawn(talk(guest, name.clone(), first))
        });
        talking.collect::<Vec<_>>()
    });
    for talking in talking.collect::<Vec<_>>() {
        let mut heard = Vec::new();
        for member in talking {
            heard.push(member.await.expect("nobody is closed, and everything arrives"));
        }
        agree(&heard);
    }
    host.stop().await.expect("stopped because it was told to");
    assert_eq!(monitor.outboxes_bytes(), 0, "what was held was given back, no more and no less");
}

fn room(number: u64) -> String {
    format!("room{number}")
}

/// Some people in one group, and in no other.
async fn fill(host: &TestServer, number: u64) -> Vec<TestClient> {
    let mut members = Vec::new();
    for member in 0..MEMBERS {
        let mut guest = host.guest(&format!("member{number}x{member}")).await;
        if member == 0 {
            guest.do_(Request::Create { group: group(&room(number)) }).await;
        }
        guest.do_(Request::Join { group: group(&room(number)) }).await;
        members.push(guest);
    }
    members
}

/// Posts everything, a window at a time, and listens until everything was heard.
async fn talk(mut guest: TestClient, room: String, first: u64) -> Heard {
    let (mut heard, mut answered, mut said) = (Vec::new(), 0, 0);
    while heard.len() < (MEMBERS * POSTS) as usize {
        if said < POSTS && said == answered {
            for number in said..said + WINDOW {
                // Some are long: these are shared where the short ones are copied.
                let text = "x".repeat(if number % 7 == 0 { 6_000 } else { 40 });
                guest.say_unflushed(public(&room, first + number, &text)).await;
            }
            guest.flush().await;
            said += WINDOW;
        }
        match guest.frame().await.expect("not closed") {
            ServerFrame::Response { result: Ok(Response::Posted { seq, .. }), .. } => {
                heard.push((seq, post_id(first + answered)));
                answered += 1;
            }
            ServerFrame::Response { result, .. } => panic!("not posted: {result:?}"),
            ServerFrame::Notification(Notification::GroupPost { post, .. }) => {
                heard.push((post.seq, post.id));
            }
            ServerFrame::Notification(Notification::Closing(why)) => panic!("closed: {why:?}"),
            ServerFrame::Notification(_) => {}
        }
    }
    heard
}

/// All heard the same, once, in the order of the log.
fn agree(heard: &[Heard]) {
    for each in heard {
        assert!(each.is_sorted_by(|(one, _), (next, _)| one < next), "in the order of the log");
        assert_eq!(each, &heard[0]);
    }
    let ids: BTreeSet<_> = heard[0].iter().map(|(_, id)| id.0).collect();
    assert_eq!(ids.len(), heard[0].len(), "once");
}
