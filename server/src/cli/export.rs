//! What was said in a group, as lines of JSON.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use chatroom_proto::{Conversation, GroupName, Seq, UserName};
use serde::Serialize;

use super::log_reading::{ToolError, read_through, time};
use crate::chat::effect::{ArchiveChange, Deletion, StoredPost};
use crate::storage::log::LogReader;

/// One post. Fields are appended, never renamed: programs read them.
#[derive(Serialize)]
struct Line<'a> {
    group: &'a str,
    seq: u64,
    time: String,
    from: &'a str,
    body: &'a str,
    id: String,
    /// Of a post that was deleted, whose body is empty; otherwise it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<&'a str>,
}

/// Writes every post of a group that the log in this directory has, one a line, the oldest first.
/// One who reads no further is no error.
///
/// # Errors
/// [`ToolError`]; among them that there is no such group.
pub(super) fn export(
    directory: &Path,
    group: &GroupName,
    out: &mut impl Write,
) -> Result<(), ToolError> {
    match write_all(directory, group, out) {
        Err(ToolError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        ended => ended,
    }
}

/// Which posts were deleted, and by whom. The log may have their texts for a while, before the
/// entry that says so.
fn deletions(log: &mut LogReader) -> Result<HashMap<Seq, UserName>, ToolError> {
    let mut deletions = HashMap::new();
    read_through(log, |_, change| {
        if let Some(ArchiveChange::Deleted(post, Deletion { by, .. })) = change {
            deletions.entry(post).or_insert(by);
        }
        Ok(())
    })?;
    Ok(deletions)
}

fn write_all(directory: &Path, group: &GroupName, out: &mut impl Write) -> Result<(), ToolError> {
    let mut log = LogReader::open(directory)?;
    // Both times the same: what is deleted meanwhile is in it as it was.
    log.hold()?;
    let deletions = deletions(&mut log)?;
    let wanted = group.key();
    let state = read_through(&mut log, |_, change| match change {
        Some(ArchiveChange::Said(StoredPost { to: Conversation::Group(name), post, .. }))
            if name.key() == wanted =>
        {
            let deleted_by = deletions.get(&post.seq).map(UserName::as_str);
            let line = Line {
                group: name.as_str(),
                seq: post.seq.0,
                time: time(post.at),
                from: post.from.as_str(),
                body: if deleted_by.is_some() { "" } else { post.body.as_str() },
                id: format!("{:032x}", u128::from_be_bytes(post.id.0)),
                deleted_by,
            };
            serde_json::to_writer(&mut *out, &line)
                .map_err(|error| ToolError::Output(error.into()))?;
            out.write_all(b"\n").map_err(ToolError::Output)
        }
        _ => Ok(()),
    })?;
    out.flush().map_err(ToolError::Output)?;
    let is_known = state.group_names().any(|name| name.key() == wanted);
    if is_known { Ok(()) } else { Err(ToolError::NoSuchGroup(group.clone())) }
}
