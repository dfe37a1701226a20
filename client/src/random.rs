//! Where a link's chance comes from.

use std::fmt;
use std::sync::Arc;

/// Any numbers: where the tags begin, and how long to wait before the next try. The default asks
/// the operating system.
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
}

impl Default for Random {
    fn default() -> Random {
        // Without randomness there is no jitter, and the full wait is right.
        Random::new(|| getrandom::u64().unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}
