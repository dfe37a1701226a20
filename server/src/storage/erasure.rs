//! Erasure: the text of a post that was deleted goes from the log, too.
//!
//! When a deletion takes effect, the archive deletes its row, and notes that the log has the text
//! still. This has the log erase it and strikes the note out then. What a crash interrupts is still
//! noted, and done after the next start.

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tracing::{error, info};

use crate::storage::archive::{AT_ONCE_MAX, Archive, ReadError};
use crate::storage::log::{Log, LogError};

/// How long the log is left alone after each turn. A turn writes a few rows anew and empties the
/// write-ahead log, which nothing is kept meanwhile.
const REST: Duration = Duration::from_secs(5);

/// The same, while there is more than one turn takes: some 2,000 texts a minute.
const SHORT_REST: Duration = Duration::from_millis(200);

/// How long until it is tried again when it has failed.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Erases what is deleted, until it is dropped or the archive has stopped.
pub(crate) async fn run(log: Arc<dyn Log>, archive: Archive) {
    loop {
        let rest = match turn(&*log, &archive).await {
            Ok(count) => {
                info!(count, "the texts of deleted messages are erased from the log");
                if count < AT_ONCE_MAX { REST } else { SHORT_REST }
            }
            // It has said so itself, and the server ends.
            Err(Failure::Archive(_)) => return,
            Err(Failure::Log(LogError::InUse)) => REST,
            Err(Failure::Log(error)) => {
                error!(%error, "what was deleted could not be erased; tried again in a minute");
                REST_AFTER_FAILURE
            }
        };
        time::sleep(rest).await;
    }
}

async fn turn(log: &dyn Log, archive: &Archive) -> Result<usize, Failure> {
    let posts = archive.to_erase().await?;
    let erased = match log.erase(posts.clone()).await {
        // One that is in a damaged row must not keep the others.
        Err(LogError::Corrupt(damaged)) => {
            let mut erased = Vec::new();
            for post in posts {
                match log.erase(vec![post]).await {
                    Ok(()) => erased.push(post),
                    Err(LogError::Corrupt(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if erased.is_empty() {
                return Err(LogError::Corrupt(damaged).into());
            }
            erased
        }
        done => done.map(|()| posts)?,
    };
    let count = erased.len();
    archive.erased(erased).await?;
    Ok(count)
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Log(#[from] LogError),
    #[error("{0}")]
    Archive(#[from] ReadError),
}
