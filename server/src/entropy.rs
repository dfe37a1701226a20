//! The only place that asks for randomness: for tokens, the operator's code and the node's number.
//! (Salts are the hash function's own business.)

use std::fmt;
use std::sync::Arc;

/// Fills bytes that nobody can guess. The default asks the operating system; a test that is to be
/// the same every time gives bytes of its own.
#[derive(Clone)]
pub struct Entropy(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Entropy {
    /// Bytes from this.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Entropy {
        Entropy(Arc::new(fill))
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }
}

impl Default for Entropy {
    fn default() -> Entropy {
        Entropy::new(|bytes| getrandom::fill(bytes).expect("the system has random bytes"))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}
