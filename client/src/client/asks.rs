//! What can be asked, each with an answer of its own type.

use chatroom_proto::{
    About, ArchivedPost, Body, ClientInfo, Code, Conversation, DeletedPost, GroupName, Membership,
    Moderation, ModerationRecord, Operation, Page, Password, PersonInfo, Refusal, Request,
    Response, SearchQuery, Seq, ServerBan, UnixMillis, UserName,
};

use super::handle::{Client, new_post_id, new_token};
use crate::error::{AskError, Ended};
use crate::limits::LIST_ITEMS_MAX;

/// A post that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its place in the order.
    pub seq: Seq,
    /// When the server took it.
    pub at: UnixMillis,
    /// The one to whom it was said alone, when they are away: they are told when they come back.
    pub away: Option<UserName>,
}

/// A part of what was said, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The posts, and where they were said.
    pub posts: Vec<ArchivedPost>,
    /// Posts of the same part that were deleted.
    pub deleted: Vec<DeletedPost>,
    /// What to ask for the next older ones with; nothing when there are none.
    pub next: Option<Seq>,
}

impl Client {
    /// Makes a group, and tells how the server writes its name. Joining it is a request of its own.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn create(&self, group: GroupName) -> Result<GroupName, AskError> {
        match self.ask(Request::Create { group }).await? {
            Response::Created { group, .. } => Ok(group),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Becomes a member of a group.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn join(&self, group: GroupName) -> Result<Membership, AskError> {
        match self.ask(Request::Join { group }).await? {
            Response::Joined { membership, .. } => Ok(membership),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Stops being a member of a group.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn leave(&self, group: GroupName) -> Result<GroupName, AskError> {
        match self.ask(Request::Leave { group }).await? {
            Response::Left { group, .. } => Ok(group),
            _ => Err(AskError::Unexpected),
        }
    }

    /// All groups (at most [`LIST_ITEMS_MAX`]), in the order of their creation.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn groups(&self) -> Result<Vec<GroupName>, AskError> {
        let page = |response| match response {
            Response::Groups { groups, next } => Some((groups, next)),
            _ => None,
        };
        self.gather(|after| Request::Groups { after }, page).await
    }

    /// Everybody who is there (at most [`LIST_ITEMS_MAX`]), in the order of arrival.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn users(&self) -> Result<Vec<UserName>, AskError> {
        let page = |response| match response {
            Response::Users { users, next } => Some((users, next)),
            _ => None,
        };
        self.gather(|after| Request::Users { after }, page).await
    }

    /// Asks for one page after the other. A list that runs in a circle, or is longer than any,
    /// ends.
    async fn gather<T>(
        &self,
        request: impl Fn(Seq) -> Request,
        page: impl Fn(Response) -> Option<(Page<T>, Option<Seq>)>,
    ) -> Result<Vec<T>, AskError> {
        let mut all = Vec::new();
        let mut after = Seq::ZERO;
        loop {
            let (items, next) =
                page(self.ask(request(after)).await?).ok_or(AskError::Unexpected)?;
            all.extend(items.into_vec());
            match next {
                Some(next) if next > after && all.len() < LIST_ITEMS_MAX => after = next,
                _ => return Ok(all),
            }
        }
    }

    /// Says something in a group.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn public(&self, group: GroupName, body: Body) -> Result<Posted, AskError> {
        self.post(Request::Public { group, id: new_post_id(), body }).await
    }

    /// Says something to one person, who may be away.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn private(&self, to: UserName, body: Body) -> Result<Posted, AskError> {
        self.post(Request::Private { to, id: new_post_id(), body }).await
    }

    async fn post(&self, request: Request) -> Result<Posted, AskError> {
        match self.ask(request).await? {
            Response::Posted { seq, at } => Ok(Posted { seq, at, away: None }),
            Response::Kept { seq, at, to } => Ok(Posted { seq, at, away: Some(to) }),
            _ => Err(AskError::Unexpected),
        }
    }

    /// What was said in a conversation before this ([`Seq::ZERO`] for the newest): so many posts at
    /// the most.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn history(
        &self,
        of: Conversation,
        before: Seq,
        count: u16,
    ) -> Result<HistoryPage, AskError> {
        self.past(Request::History { of, before, count }).await
    }

    /// What was said with all of these words in it, in one group or wherever this client may read,
    /// before this ([`Seq::ZERO`] for the newest): so many posts at the most.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn search(
        &self,
        words: SearchQuery,
        within: Option<GroupName>,
        before: Seq,
        count: u16,
    ) -> Result<HistoryPage, AskError> {
        self.past(Request::Search { words, within, before, count }).await
    }

    async fn past(&self, request: Request) -> Result<HistoryPage, AskError> {
        match self.ask(request).await? {
            Response::Past { posts, next } => {
                Ok(HistoryPage { posts: posts.into_vec(), deleted: Vec::new(), next })
            }
            Response::PastWithDeleted { posts, deleted, next } => {
                let (posts, deleted) = (posts.into_vec(), deleted.into_vec());
                Ok(HistoryPage { posts, deleted, next })
            }
            _ => Err(AskError::Unexpected),
        }
    }

    /// Moderates a group: [`Moderation`] has all that there is, from a topic
    /// to a ban. Tells how the server writes the group's name.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn moderate(&self, group: GroupName, act: Moderation) -> Result<GroupName, AskError> {
        match self.ask(Request::Moderate { group, act }).await? {
            Response::Moderated { group, .. } => Ok(group),
            _ => Err(AskError::Unexpected),
        }
    }

    /// What moderators did in a group, to one person or at all: the newest first.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn why(
        &self,
        group: GroupName,
        user: Option<UserName>,
    ) -> Result<Vec<ModerationRecord>, AskError> {
        match self.ask(Request::Why { group, user }).await? {
            Response::Acts { acts, .. } => Ok(acts.into_vec()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Takes back what was said there: by this client, or in a group that it keeps order in.
    ///
    /// # Errors
    /// [`AskError`]; [`AskError::Unexpected`] from a server that can't delete.
    pub async fn delete(&self, post: Seq) -> Result<(), AskError> {
        match self.ask(Request::Delete { post }).await? {
            Response::Deleted { .. } => Ok(()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// What a group is, who moderates it, and what this client is in it.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn about(&self, group: GroupName) -> Result<About, AskError> {
        match self.ask(Request::About { group }).await? {
            Response::About(about) => Ok(*about),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Whether somebody is here, or away since when, and in which of one's groups.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn who(&self, user: UserName) -> Result<PersonInfo, AskError> {
        match self.ask(Request::Who { user }).await? {
            Response::Who(who) => Ok(*who),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Becomes an operator of the server, with the code that it shows to those who run it.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn claim(&self, code: Code) -> Result<(), AskError> {
        self.done_as_operator(Request::Claim { code }).await
    }

    /// Does something as an operator of the server: [`Operation`] has all that there is.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn operate(&self, act: Operation) -> Result<(), AskError> {
        self.done_as_operator(Request::Operate { act }).await
    }

    async fn done_as_operator(&self, request: Request) -> Result<(), AskError> {
        match self.ask(request).await? {
            Response::Operated { .. } => Ok(()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Everybody on the server, with where they come from (at most [`LIST_ITEMS_MAX`]), in the
    /// order of arrival: for its operators.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn clients(&self) -> Result<Vec<ClientInfo>, AskError> {
        let page = |response| match response {
            Response::Clients { clients, next } => Some((clients, next)),
            _ => None,
        };
        self.gather(|after| Request::Clients { after }, page).await
    }

    /// Who may not come to the server (at most [`LIST_ITEMS_MAX`]), the oldest ban first: for its
    /// operators.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn server_bans(&self) -> Result<Vec<ServerBan>, AskError> {
        let page = |response| match response {
            Response::ServerBans { bans, next } => Some((bans, next)),
            _ => None,
        };
        self.gather(|after| Request::ServerBans { after }, page).await
    }

    /// Makes this client's name its own, with this password.
    ///
    /// # Errors
    /// [`AskError`]; [`Refusal::PasswordInTheOpen`] without asking, where others could read along.
    pub async fn register(&self, password: Password) -> Result<(), AskError> {
        match self.ask_in_private(Request::Register { password }).await? {
            Response::Registered { .. } => Ok(()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Changes the name's password. This client comes back with the new one; the name's other
    /// devices are put out.
    ///
    /// # Errors
    /// [`AskError`]; [`Refusal::PasswordInTheOpen`] without asking, where others could read along.
    pub async fn change_password(&self, old: Password, new: Password) -> Result<(), AskError> {
        match self
            .ask_in_private(Request::ChangePasswordAndToken { old, new, token: new_token() })
            .await?
        {
            Response::PasswordChanged { .. } => Ok(()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Gives the name up, and leaves for good.
    ///
    /// # Errors
    /// [`AskError`]; [`Refusal::PasswordInTheOpen`] without asking, where others could read along.
    pub async fn unregister(&self, password: Password) -> Result<(), AskError> {
        match self.ask_in_private(Request::Unregister { password }).await? {
            Response::Unregistered { .. } => Ok(()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// The server would refuse it too, when it has been read along already.
    async fn ask_in_private(&self, request: Request) -> Result<Response, AskError> {
        if !self.is_private() {
            return Err(AskError::Refused(Refusal::PasswordInTheOpen));
        }
        self.ask(request).await
    }

    /// Waits until the server answers.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn ping(&self) -> Result<(), AskError> {
        match self.ask(Request::Ping).await? {
            Response::Pong => Ok(()),
            _ => Err(AskError::Unexpected),
        }
    }

    /// Leaves for good, and waits until the server knows it. A link that is dropped without this
    /// leaves a session behind, which the server holds for a while.
    ///
    /// # Errors
    /// [`AskError`]
    pub async fn exit(&self) -> Result<(), AskError> {
        match self.ask(Request::Exit).await {
            Ok(Response::Goodbye) | Err(AskError::Closed(Ended::Left)) => Ok(()),
            Ok(_) => Err(AskError::Unexpected),
            Err(error) => Err(error),
        }
    }
}
