//! Why a request was refused, and what to do about it. What concerns moderation is in
//! `moderation.rs`, what concerns operators of the server in `server_admin.rs`.

use std::time::Duration;

use chatroom_proto::{NAME_MARKS, Refusal, Request, VersionRange};

use super::connection::seconds;
use super::deletion::deletion_refusal;
use super::server_admin::no_such_user;
use super::text::View;

impl View {
    /// A request was refused; `meant` is what may have been meant instead of a name that is not
    /// there.
    pub fn refusal(self, request: &Request, refusal: &Refusal, meant: Option<&str>) -> String {
        self.warning(match refusal {
            Refusal::GroupExists { .. }
            | Refusal::NoSuchGroup { .. }
            | Refusal::AlreadyMember { .. }
            | Refusal::NotMember { .. }
            | Refusal::TooManyGroups { .. }
            | Refusal::TooManyMemberships { .. }
            | Refusal::GroupLooksLike { .. } => group_refusal(request, refusal, meant),
            Refusal::NameTaken { .. }
            | Refusal::NotRegistered { .. }
            | Refusal::PasswordNeeded { .. }
            | Refusal::WrongPassword { .. }
            | Refusal::PasswordInTheOpen
            | Refusal::AlreadyRegistered { .. }
            | Refusal::TooManyAccounts { .. }
            | Refusal::TooManyDevices { .. }
            | Refusal::TooManyTries { .. }
            | Refusal::NameLooksLike { .. } => name_refusal(request, refusal),
            Refusal::NoSuchUser { name } => no_such_user(request, name, meant),
            Refusal::MarkedName
            | Refusal::NothingKept
            | Refusal::TookTooLong
            | Refusal::NoWords
            | Refusal::SessionEnded
            | Refusal::Invalid { .. }
            | Refusal::Unavailable
            | Refusal::RateLimited { .. }
            | Refusal::UnsupportedVersion { .. } => general_refusal(refusal),
            Refusal::NotAllowed { .. }
            | Refusal::OutOfReach { .. }
            | Refusal::NotOneself
            | Refusal::AlreadySo { .. }
            | Refusal::TooManyMarks { .. }
            | Refusal::Banned { .. }
            | Refusal::Muted { .. }
            | Refusal::InvitationOnly { .. } => self.moderation_refusal(request, refusal),
            Refusal::NotOperator
            | Refusal::WrongCode
            | Refusal::IsOperator { .. }
            | Refusal::NoDifference
            | Refusal::RegisterFirst
            | Refusal::ServerBanned { .. } => self.server_admin_refusal(request, refusal),
            Refusal::NoSuchPost { .. }
            | Refusal::NotYours { .. }
            | Refusal::AlreadyDeleted { .. } => deletion_refusal(refusal),
        })
    }
}

/// What any request may meet, or only one.
fn general_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::MarkedName => {
            let [of_names, of_commands] = NAME_MARKS;
            format!(
                "No new name begins with '{of_names}' or '{of_commands}': in a command, they \
                 mean something else. Choose another one."
            )
        }
        Refusal::NothingKept => "This server keeps nothing of what was said.".to_owned(),
        Refusal::TookTooLong => {
            "That took too long to find. Ask for less, or try again in a moment.".to_owned()
        }
        Refusal::NoWords => {
            "There is no word in that to look for. A search finds words, numbers and symbols \
             such as 🎉, and leaves out punctuation."
                .to_owned()
        }
        Refusal::SessionEnded => "Your session has ended meanwhile.".to_owned(),
        Refusal::Invalid { why } => format!("The server did not take that: {}.", why.as_str()),
        Refusal::Unavailable => {
            "The server can't read what it keeps at the moment. Ask those who run it.".to_owned()
        }
        Refusal::RateLimited { retry_after_ms } => {
            let wait = seconds(Duration::from_millis((*retry_after_ms).into()));
            format!("Too much comes from your address at the moment. Try again in {wait}.")
        }
        Refusal::UnsupportedVersion { server } => {
            let fix = if server.min() > VersionRange::OF_CLIENTS.max() {
                "Get a newer version of this program."
            } else {
                "Get an older version of this program, or update the server."
            };
            let (theirs, ours) = (versions(*server), versions(VersionRange::OF_CLIENTS));
            format!("This server speaks {theirs} of the protocol, this program {ours}. {fix}")
        }
        other => format!("The server refused that: {other:?}"),
    }
}

/// There is such a group, or none; one is in it, or not.
fn group_refusal(request: &Request, refusal: &Refusal, meant: Option<&str>) -> String {
    match refusal {
        Refusal::GroupExists { group } => {
            format!(
                "There is already a group chat with name '{group}'. To become a member: join \
                 {group}"
            )
        }
        Refusal::NoSuchGroup { group } => {
            let fix = match meant {
                Some(meant) => format!("Did you mean '{meant}'?"),
                None => {
                    format!("Type 'groups' to see what there is, or 'create {group}' to make it.")
                }
            };
            format!("There is no group chat with name '{group}'. {fix}")
        }
        Refusal::AlreadyMember { group } => {
            format!(
                "You are already in group chat '{group}'. To say something: public {group} \
                 [message]"
            )
        }
        Refusal::NotMember { group } if matches!(request, Request::Leave { .. }) => {
            format!("You are not in group chat '{group}', so there is nothing to leave.")
        }
        Refusal::NotMember { group } if matches!(request, Request::Why { .. }) => format!(
            "You are not in group chat '{group}', so you can only read what was done to yourself: \
             why {group} [your-name]"
        ),
        Refusal::NotMember { group } => {
            format!("You are not in group chat '{group}'; join it first: join {group}")
        }
        Refusal::TooManyGroups { limit } => format!(
            "The server holds {limit} group chats, and that is all it will. Type 'groups' to see \
             them, and join one."
        ),
        Refusal::TooManyMemberships { limit } => format!(
            "You are in {limit} group chats, and nobody can be in more. Leave one first: leave \
             [group-name]"
        ),
        Refusal::GroupLooksLike { group } => format!(
            "That name looks like group chat '{group}'. Choose one that can't be confused with it, \
             or join that one: join {group}"
        ),
        other => format!("The server refused that: {other:?}"),
    }
}

/// Whose a name is, and how they show it.
fn name_refusal(request: &Request, refusal: &Refusal) -> String {
    match refusal {
        Refusal::NameTaken { name } => {
            format!(
                "The name '{name}' is taken. Choose another one. If that was you a moment ago: \
                 half a minute after a connection is lost, its name is free again."
            )
        }
        Refusal::NotRegistered { name } => {
            format!(
                "The name '{name}' is not registered, so it has no password. To make it yours: \
                 register"
            )
        }
        Refusal::PasswordNeeded { name } => format!(
            "The name '{name}' belongs to somebody who has registered it. If that is you, its \
             password is needed (--password-file FILE); otherwise choose another name."
        ),
        Refusal::WrongPassword { name } if is_about_own_name(request) => {
            format!("That is not the password of '{name}', so nothing was changed. Try again.")
        }
        Refusal::WrongPassword { name } => {
            format!("That is not the password of '{name}'. Try again, or choose another name.")
        }
        Refusal::PasswordInTheOpen => {
            "A password is only taken where nobody can read along: over TLS, or on the server's \
             own machine. Come back with --tls. If somebody may have read it: change it."
                .to_owned()
        }
        Refusal::AlreadyRegistered { name } => {
            format!("The name '{name}' is yours already. For another password: passwd")
        }
        Refusal::TooManyAccounts { limit } => {
            format!("The server keeps {limit} registered names, and that is all it will.")
        }
        Refusal::TooManyDevices { limit } => format!(
            "You are here with {limit} devices, and nobody can be with more. Leave with one of \
             them first: exit"
        ),
        Refusal::TooManyTries { retry_after_ms } => {
            format!(
                "Too many passwords were tried. Try again in {} s.",
                retry_after_ms.div_ceil(1_000)
            )
        }
        Refusal::NameLooksLike { name } => {
            format!(
                "That name looks like '{name}', which is taken. Choose one that can't be confused \
                 with it."
            )
        }
        other => format!("The server refused that: {other:?}"),
    }
}

/// Whether it was asked by one who is in, under that name.
fn is_about_own_name(request: &Request) -> bool {
    matches!(
        request,
        Request::ChangePassword { .. }
            | Request::ChangePasswordAndToken { .. }
            | Request::Unregister { .. }
    )
}

fn versions(range: VersionRange) -> String {
    match (range.min(), range.max()) {
        (only, max) if only == max => format!("version {only}"),
        (min, max) => format!("version {min} to {max}"),
    }
}

#[cfg(test)]
mod tests;
