//! Colours: few and quiet, and none at all when they are not wanted. The text is the same either
//! way.

use anstyle::{AnsiColor, Style};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person or a group at the head of a message.
    Name,
    /// The head of a private message.
    Private,
    /// What is about the chat and not said by anybody.
    System,
    /// Something that was refused or went wrong.
    Warning,
    /// What could be typed next.
    Hint,
    /// What somebody says.
    Words,
    /// In that, the name of the one who reads it. It is never dimmed.
    OwnName,
}

/// Paints, or does not.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// Whether to use colours at all.
    pub colours: bool,
    /// Whether everything is dimmed instead: it is not what its reader looks at.
    pub is_dim: bool,
}

impl Paint {
    /// Paints in colours, or not at all.
    pub fn new(colours: bool) -> Paint {
        Paint { colours, is_dim: false }
    }

    /// The text, painted. Pieces do not nest.
    pub fn paint(self, kind: Kind, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if !self.colours {
            return text.to_owned();
        }
        let style = match kind {
            Kind::OwnName => Style::new().bold().fg_color(Some(AnsiColor::Green.into())),
            _ if self.is_dim => Style::new().dimmed(),
            Kind::Name => Style::new().bold(),
            Kind::Private => Style::new().fg_color(Some(AnsiColor::Magenta.into())),
            Kind::System => Style::new().fg_color(Some(AnsiColor::Cyan.into())),
            Kind::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Kind::Hint => Style::new().dimmed(),
            Kind::Words => Style::new(),
        };
        if style.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }
}
