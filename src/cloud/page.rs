//! How far a list is read: caps that keep memory and quota flat whatever a cloud answers.

/// No list is read beyond so many pages; for rows of a task the rest is left unread and said so, for anything else it is an
/// error.
pub const MAX_PAGES: usize = 20;

/// Rows of one task that are read at the most, with pages of 1000.
pub const PAGE_CAP_ROWS: usize = MAX_PAGES * 1000;
