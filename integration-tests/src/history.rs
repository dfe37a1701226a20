//! What clients have lived through, and whether it keeps the promises: nothing that was
//! acknowledged is lost, everything is shown once, in one order for everybody, without a gap, and
//! to nobody outside the conversation, or after it was deleted.
//!
//! - [`record`]: what a client writes down, line by line, as it happens.
//! - [`stay`]: when it was surely, and when it was possibly, in a group.
//! - `life`: what of a history is left when the server was put back to an earlier copy.
//! - `deletions`: that nobody is shown what was deleted.
//! - [`checker`]: looks at all histories of a run, and finds what must not be; [`violation`]: what
//!   that is.

pub mod checker;
mod deletions;
mod life;
pub mod record;
pub mod stay;
pub mod violation;

pub use checker::check;
pub use record::{Delivery, Event, History, Recorder};
pub use violation::{Kind, Violation};
