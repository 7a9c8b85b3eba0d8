//! Mistakes with their lines, as they are shown.

use super::document::Unreadable;
use super::found::Found;
use super::position::locate;
use super::typed::MOST;
use super::words;
use crate::cloud::settings::{Mistake, Step};
use std::fmt;

/// One thing that is wrong, or odd, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// Line and column, both from 1; none for the file as such.
    pub place: Option<(usize, usize)>,
    /// `path: what is wrong; what would be right`, or without the path for the whole document.
    pub text: String,
}

/// What is wrong with a config file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    file_name: String,
    /// Sorted by line.
    list: Vec<Located>,
    /// Whether these are the first of too many.
    is_cut: bool,
}

impl Mistakes {
    /// One mistake of the file as such.
    pub(super) fn of_file(file_name: &str, text: String) -> Self {
        Self { file_name: file_name.to_owned(), list: vec![Located { place: None, text }], is_cut: false }
    }

    /// The one mistake of a text that cannot be read.
    pub(super) fn of_text(file_name: &str, text: &str, Unreadable { place, message }: Unreadable) -> Self {
        let place = Some(within(text, place.unwrap_or((1, 1))));
        Self { file_name: file_name.to_owned(), list: vec![Located { place, text: message }], is_cut: false }
    }

    /// The one mistake of bytes that are no text from an offset on.
    pub(super) fn of_bytes(file_name: &str, bytes: &[u8], valid_up_to: usize) -> Self {
        let valid = String::from_utf8_lossy(bytes.get(..valid_up_to).unwrap_or_default());
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let text = "no UTF-8 text from here on; save the file as UTF-8".to_owned();
        let list = vec![Located { place: Some((line, column)), text }];
        Self { file_name: file_name.to_owned(), list, is_cut: false }
    }

    /// All mistakes of a text.
    pub(super) fn locate(file_name: &str, text: &str, found: &[Found]) -> Self {
        let list = locate_all(text, found.get(..MOST).unwrap_or(found));
        Self { file_name: file_name.to_owned(), list, is_cut: found.len() >= MOST }
    }

    /// The mistakes, sorted by line.
    pub fn as_slice(&self) -> &[Located] {
        &self.list
    }
}

/// Each with its line, sorted, none twice.
pub(super) fn locate_all(text: &str, found: &[Found]) -> Vec<Located> {
    let locate = |Found { path, part, message }: &Found| {
        let place = Some(within(text, locate(text, path, *part)));
        let path: Vec<Step> = words::shown(path);
        Located { place, text: on_one_line(&Mistake { path, message: message.clone() }.to_string()) }
    };
    let mut located: Vec<Located> = found.iter().map(locate).collect();
    located.sort();
    located.dedup();
    located
}

/// A key may have line ends in it, and worse.
fn on_one_line(text: &str) -> String {
    let plain =
        |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() };
    text.chars().map(plain).collect()
}

/// The YAML reader may count one line more than there are; nobody can go there.
fn within(text: &str, (line, column): (usize, usize)) -> (usize, usize) {
    let lines = text.lines().count().max(1);
    let line_read = text.lines().nth(line.min(lines).saturating_sub(1)).unwrap_or_default();
    let last_column = line_read.chars().count() + 1;
    if line > lines { (lines, last_column) } else { (line.max(1), column.clamp(1, last_column)) }
}

impl Located {
    /// The line to show for it: `file:line:column: path: …`.
    pub fn line(&self, file_name: &str) -> String {
        match self.place {
            Some((line, column)) => format!("{file_name}:{line}:{column}: {}", self.text),
            None => format!("{file_name}: {}", self.text),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = self.list.iter().map(|mistake| mistake.line(&self.file_name)).collect();
        if self.is_cut {
            lines.push(format!("{}: more mistakes may follow; these are the first {MOST}", self.file_name));
        }
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}
