//! How texts are laid out, and in which tone they speak.

use jiff::tz::TimeZone;

use super::harmless::harmless;
use super::paint::{Kind, Paint};

/// What the continuation lines of a message begin with, so that nobody can forge the line of
/// somebody else.
pub const CONTINUATION: &str = "    ";

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For people: a message may take several lines.
    Screen,
    /// For programs: one event a line.
    Lines,
}

/// Turns what happened into text.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// For a screen, or one event a line.
    pub layout: Layout,
    /// In which colours.
    pub paint: Paint,
    /// Where times are told.
    pub zone: &'static TimeZone,
}

impl View {
    /// One event a line, without colours, with times in UTC: the same text on every machine.
    pub fn plain() -> View {
        static UTC: TimeZone = TimeZone::UTC;
        View { layout: Layout::Lines, paint: Paint::new(false), zone: &UTC }
    }

    /// The same, for what its reader does not look at.
    pub fn elsewhere(self) -> View {
        View { paint: Paint { is_dim: true, ..self.paint }, ..self }
    }

    /// What is about the chat, and not said by anybody.
    pub(super) fn system(self, text: impl AsRef<str>) -> String {
        self.paint.paint(Kind::System, harmless(text.as_ref()))
    }

    /// What was refused, or went wrong.
    pub(super) fn warning(self, text: impl AsRef<str>) -> String {
        self.paint.paint(Kind::Warning, harmless(text.as_ref()))
    }

    /// What could be typed next.
    pub(super) fn hint(self, text: impl AsRef<str>) -> String {
        self.paint.paint(Kind::Hint, text)
    }

    /// A title, and one name a line.
    pub(super) fn list<'a>(self, title: &str, names: impl Iterator<Item = &'a str>) -> String {
        let mut text = self.system(title);
        for name in names {
            text.push('\n');
            text.push_str(&harmless(name));
        }
        text
    }
}
