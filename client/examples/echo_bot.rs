//! A bot that repeats what it is told: every private message, and every message in a group that starts with its name.
//! It comes back by itself when the connection is lost, and ends when the server lets it in no more.
//!
//! ```text
//! cargo run --example echo_bot -- Echo tea milk           # be Echo, in General and in these groups
//! public General Echo, are you there?                     # at somebody's terminal
//! In group General, Echo: are you there?                  # the answer
//! ```

use chatroom_client::{AskError, Client, Event, Options};
use chatroom_proto::{Body, GroupName, Notification, UserName};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = UserName::parse(&arguments.next().unwrap_or_else(|| "Echo".to_owned()))?;
    let (client, mut events) = Client::connect(Options::new("127.0.0.1", 9000, name.clone())).await?;
    for group in arguments {
        match client.join(GroupName::parse(&group)?).await {
            Err(AskError::Refused(refusal)) => eprintln!("not in {group}: {refusal:?}"),
            joined => drop(joined?),
        }
    }
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(Notification::PrivatePost { post, .. }) => {
                say(client.private(post.from, post.body).await.map(drop))?;
            }
            Event::Notification(Notification::GroupPost { post, group }) => {
                if let Some(body) = meant_for(&name, &post.body) {
                    say(client.public(group, body).await.map(drop))?;
                }
            }
            Event::Lost(lost) => eprintln!("connection lost: {lost}"),
            Event::Back { .. } => eprintln!("connected again"),
            Event::Ended(ended) => return Err(ended.into()),
            _ => {}
        }
    }
    Ok(())
}

/// What follows the bot's name at the start of a message.
fn meant_for(name: &UserName, body: &Body) -> Option<Body> {
    let rest = body.as_str().strip_prefix(name.as_str())?;
    Body::parse(rest.trim_start_matches([',', ':', ' '])).ok()
}

/// One who has gone meanwhile is no reason to end.
fn say(said: Result<(), AskError>) -> Result<(), AskError> {
    match said {
        Err(AskError::Refused(_)) => Ok(()),
        said => said,
    }
}
