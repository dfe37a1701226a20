//! A bot that quotes what it is told: private messages, and what begins with its name in a group.
//! Quotations it leaves alone: two such bots don't talk for ever. It comes back by itself, answers
//! what was said meanwhile, and ends when the server lets it in no more.
//! ```text
//! cargo run --example echo_bot -- Echo tea milk    # be Echo, in General and in these groups
//! public General Echo, are you there?              # at somebody's terminal
//! In group General, Echo: > are you there?         # the answer
//! ```

use chatroom_client::{AskError, Client, Event, Options};
use chatroom_proto::{Body, GroupName, Notification, UserName};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = UserName::parse(&arguments.next().unwrap_or_else(|| "Echo".to_owned()))?;
    let (client, mut events) =
        Client::connect(Options::new("127.0.0.1", 9000, name.clone())).await?;
    for group in arguments {
        unless_refused(client.join(GroupName::parse(&group)?).await)?;
    }
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(said) | Event::Replayed(said) => {
                answer(&client, &name, said).await?;
            }
            Event::Lost(lost) => eprintln!("connection lost: {lost}"),
            Event::Back { .. } => eprintln!("connected again"),
            Event::Ended(ended) => return Err(ended.into()),
            _ => {}
        }
    }
    Ok(())
}

async fn answer(client: &Client, name: &UserName, said: Notification) -> Result<(), AskError> {
    match said {
        Notification::PrivatePost { post, .. } => match quoted(post.body.as_str()) {
            Some(body) => unless_refused(client.private(post.from, body).await),
            None => Ok(()),
        },
        Notification::GroupPost { post, group } => {
            match meant_for(name, &post.body).and_then(quoted) {
                Some(body) => unless_refused(client.public(group, body).await),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// What follows the bot's name at the start of a message.
fn meant_for<'a>(name: &UserName, body: &'a Body) -> Option<&'a str> {
    Some(body.as_str().strip_prefix(name.as_str())?.trim_start_matches([',', ':', ' ']))
}

fn quoted(text: &str) -> Option<Body> {
    if text.is_empty() || text.starts_with('>') {
        None
    } else {
        Body::parse(&format!("> {text}")).ok()
    }
}

/// A group that is not there, or one who has gone meanwhile, is no reason to end.
fn unless_refused<T>(done: Result<T, AskError>) -> Result<(), AskError> {
    match done {
        Err(AskError::Refused(refusal)) => eprintln!("refused: {refusal:?}"),
        done => drop(done?),
    }
    Ok(())
}

#[cfg(test)]
#[path = "echo_bot/tests.rs"]
mod tests;
