//! Where a link's chance comes from.

use std::fmt;
use std::sync::Arc;

use chatroom_proto::Token;

/// Any numbers: the session's token, where the tags begin, and how long to wait before the next
/// try. The default asks the operating system, and panics when that has no randomness to give.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Random {
    /// Numbers from this.
    pub fn new(number: impl Fn() -> u64 + Send + Sync + 'static) -> Random {
        Random(Arc::new(number))
    }

    /// The next one.
    pub(crate) fn number(&self) -> u64 {
        (self.0)()
    }

    /// A new token.
    pub(crate) fn token(&self) -> Token {
        let mut token = [0; 32];
        for part in token.chunks_mut(8) {
            part.copy_from_slice(&self.number().to_le_bytes()[..part.len()]);
        }
        Token(token)
    }
}

impl Default for Random {
    fn default() -> Random {
        Random::new(|| getrandom::u64().expect("the operating system gives randomness"))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}
