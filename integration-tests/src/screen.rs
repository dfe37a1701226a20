//! What a person sees: a terminal's screen and what has scrolled off it, as lines of text.

use std::fmt;
use std::ops::Range;

/// How many rows that have scrolled off the screen are kept: more than any scene fills.
const SCROLLBACK_ROWS: usize = 10_000;

/// A terminal's emulator, which draws what a program writes.
pub(crate) struct Emulator {
    parser: vt100::Parser<Bells>,
}

/// What a program does besides drawing.
#[derive(Default)]
struct Bells {
    rung: usize,
}

impl vt100::Callbacks for Bells {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.rung += 1;
    }
}

impl Emulator {
    pub(crate) fn new(size: Size) -> Emulator {
        let Size { rows, columns } = size;
        Emulator {
            parser: vt100::Parser::new_with_callbacks(
                rows,
                columns,
                SCROLLBACK_ROWS,
                Bells::default(),
            ),
        }
    }

    pub(crate) fn draw(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
    }

    /// Changes the window's size as xterm does: long rows are cut off or get room, and when the row
    /// with the cursor would fall off the bottom, the rows above it scroll up.
    pub(crate) fn resize(&mut self, size: Size) {
        let (row, column) = self.parser.screen().cursor_position();
        let (rows, _) = self.parser.screen().size();
        let lost = (row + 1).saturating_sub(size.rows);
        if lost > 0 {
            let scroll = "\n".repeat(lost.into());
            let (row, column) = (row - lost + 1, column + 1);
            self.draw(format!("\x1b[{rows};1H{scroll}\x1b[{row};{column}H").as_bytes());
        }
        self.parser.screen_mut().set_size(size.rows, size.columns);
    }

    /// What is to be seen now.
    pub(crate) fn screen(&mut self) -> Screen {
        let rows = all_rows(self.parser.screen_mut());
        let screen = self.parser.screen();
        let (cursor_row, column) = screen.cursor_position();
        let (height, width) = screen.size();
        let at = rows.len() - usize::from(height - cursor_row);
        let goes_on = |row: &usize| rows[*row].wrapped || rows[*row].full;
        let first = (0..at).rev().find(|row| !goes_on(row)).map_or(0, |row| row + 1);
        let last = (at..rows.len()).find(|row| !goes_on(row)).unwrap_or(rows.len() - 1);
        let after = cells(screen, cursor_row, column..width) + &joined(&rows[at + 1..=last]);
        Screen {
            lines: lines(&rows),
            before_cursor: joined(&rows[first..at]) + &cells(screen, cursor_row, 0..column),
            after_cursor: after.trim_end().to_owned(),
            bells: self.parser.callbacks().rung,
            bracketed_paste: screen.bracketed_paste(),
        }
    }
}

/// A window's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its height.
    pub rows: u16,
    /// Its width.
    pub columns: u16,
}

impl Default for Size {
    fn default() -> Size {
        Size { rows: 24, columns: 80 }
    }
}

/// One row of a terminal.
#[derive(Debug)]
struct Row {
    text: String,
    /// Whether the text goes on in the next row because there was no room left in this one.
    wrapped: bool,
    /// Whether there is no room left in it, and it does not begin in a colour, bold or dimmed, as
    /// what the client shows. The line being typed goes on in the next row then, behind a line end.
    full: bool,
}

/// Every row, those that have scrolled off first.
fn all_rows(screen: &mut vt100::Screen) -> Vec<Row> {
    let (height, _) = screen.size();
    screen.set_scrollback(usize::MAX);
    let above = screen.scrollback();
    let mut rows = Vec::with_capacity(above + usize::from(height));
    for first in (0..above).step_by(height.into()) {
        screen.set_scrollback(above - first);
        let page = (above - first).min(height.into());
        rows.extend(visible_rows(screen).take(page));
    }
    screen.set_scrollback(0);
    rows.extend(visible_rows(screen));
    rows
}

fn visible_rows(screen: &vt100::Screen) -> impl Iterator<Item = Row> {
    let last = screen.size().1 - 1;
    let is_full = move |row| {
        let (first, last) = (screen.cell(row, 0), screen.cell(row, last));
        first.is_some_and(|cell| {
            !cell.bold() && !cell.dim() && cell.fgcolor() == vt100::Color::Default
        }) && last.is_some_and(|cell| cell.has_contents() || cell.is_wide_continuation())
    };
    (0..).zip(screen.rows(0, u16::MAX)).map(move |(row, text)| Row {
        text,
        wrapped: screen.row_wrapped(row),
        full: is_full(row),
    })
}

/// Part of a row, with a space for every cell in which there is nothing.
fn cells(screen: &vt100::Screen, row: u16, columns: Range<u16>) -> String {
    columns
        .filter_map(|column| screen.cell(row, column))
        .filter(|cell| !cell.is_wide_continuation())
        .map(|cell| if cell.has_contents() { cell.contents() } else { " " })
        .collect()
}

fn joined(rows: &[Row]) -> String {
    rows.iter().map(|row| row.text.as_str()).collect()
}

fn lines(rows: &[Row]) -> Vec<String> {
    rows.split_inclusive(|row| !row.wrapped)
        .map(|line| joined(line).trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// What is to be seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// All lines that are not empty, those that have scrolled off the screen, too; a line that was
    /// too long for a row is one line. Spaces at the end of a line don't count.
    pub lines: Vec<String>,
    /// The line with the cursor, up to the cursor: with all its spaces. It goes on behind each row
    /// that is full to its end.
    pub before_cursor: String,
    /// The line with the cursor, from the cursor on; without the spaces at its end.
    pub after_cursor: String,
    /// How often the bell has rung.
    pub bells: usize,
    /// Whether the program has asked for pastes to be marked.
    pub bracketed_paste: bool,
}

impl Screen {
    /// Whether lines can be typed: from its start until one has left, the client asks for pastes to
    /// be marked.
    pub fn is_typing(&self) -> bool {
        self.bracketed_paste
    }

    /// Whether there is a line that says exactly this.
    pub fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|shown| shown == line)
    }

    /// The lines, each with what goes on below it: the client folds what is too long, and indents
    /// it.
    pub fn unfolded(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("    "), lines.last_mut()) {
                (Some(more), Some(last)) => {
                    last.push(' ');
                    last.push_str(more);
                }
                _ => lines.push(line.clone()),
            }
        }
        lines
    }

    /// The lines that begin with this, in their order.
    pub fn lines_beginning(&self, beginning: &str) -> Vec<&str> {
        self.lines.iter().map(String::as_str).filter(|line| line.starts_with(beginning)).collect()
    }
}

/// Shows the cursor as a block where it is.
impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "| {line}")?;
        }
        write!(f, "cursor: {}\u{2588}{}", self.before_cursor, self.after_cursor)
    }
}
