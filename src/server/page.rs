//! The pages: an [`Overview`] and the bundle as HTML.
//!
//! Pure: the time is given. Every value is escaped by the template.

use super::source::{AccountState, Listing, Overview, TaskLine};
use crate::bundle::{self, Board, File};
use crate::model::{Phase, Provider};
use askama::Template;
use jiff::Timestamp;

/// The landing page at that time.
///
/// # Errors
/// Formatting failed; the templates are checked when compiled, so nothing but a bug here can cause that.
pub(super) fn landing(overview: &Overview, now: Timestamp) -> askama::Result<String> {
    Landing { overview, now }.render()
}

/// The page of the dashboards and rules that come with the exporter.
///
/// # Errors
/// A dashboard cannot be read, which a test rules out, or as with [`landing`].
pub(super) fn dashboards() -> askama::Result<String> {
    let read =
        |file: &'static File| Ok((file.name, Board::read(file).map_err(|error| askama::Error::Custom(error.into()))?));
    let boards = bundle::DASHBOARDS.iter().map(read).collect::<askama::Result<_>>()?;
    Dashboards { boards, rules: bundle::RULES }.render()
}

#[derive(Template)]
#[template(path = "dashboards.html")]
struct Dashboards {
    /// Each with the name of its file.
    boards: Vec<(&'static str, Board)>,
    rules: &'static [File],
}

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing<'a> {
    overview: &'a Overview,
    now: Timestamp,
}

impl Landing<'_> {
    fn providers(&self) -> impl Iterator<Item = Provider> {
        self.overview.phases.keys().copied()
    }

    fn count(&self, provider: Provider, phase: Phase) -> u64 {
        self.overview.phases.get(&provider).and_then(|phases| phases.get(&phase)).copied().unwrap_or_default()
    }

    fn count_in_phase(&self, phase: Phase) -> u64 {
        self.providers().map(|provider| self.count(provider, phase)).sum()
    }

    fn count_of(&self, provider: Provider) -> u64 {
        Phase::ALL.into_iter().map(|phase| self.count(provider, phase)).sum()
    }

    fn tasks(&self) -> u64 {
        self.providers().map(|provider| self.count_of(provider)).sum()
    }

    fn accounts_in_trouble(&self) -> usize {
        let accounts = self.overview.accounts.iter();
        accounts.filter(|account| matches!(account.state, AccountState::Trouble { .. })).count()
    }

    /// The two lists of tasks: anchor, title, heading of the detail, heading of the time, what an empty one says.
    fn listings(&self) -> [Section<'_>; 2] {
        let Overview { failing, stale, .. } = self.overview;
        [
            Section {
                id: "failing",
                title: "Failing tasks",
                listing: failing,
                detail: "State",
                since: "Failed",
                unknown: "unknown",
                empty: "No task is failing.",
            },
            Section {
                id: "stale",
                title: "Stale tasks",
                listing: stale,
                detail: "Last error",
                since: "Last good poll",
                unknown: "never",
                empty: "No task is stale.",
            },
        ]
    }

    fn age(&self, then: &Timestamp) -> String {
        let seconds = self.now.duration_since(*then).as_secs().max(0);
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match (days, hours, minutes) {
            (0, 0, 0) => format!("{seconds} s"),
            (0, 0, _) => format!("{minutes} min"),
            (0, _, _) => format!("{hours} h {} min", minutes % 60),
            _ => format!("{days} d {} h", hours % 24),
        }
    }
}

/// A list of tasks with its headings.
struct Section<'a> {
    id: &'static str,
    title: &'static str,
    listing: &'a Listing,
    detail: &'static str,
    since: &'static str,
    unknown: &'static str,
    empty: &'static str,
}

impl Section<'_> {
    fn shown(&self) -> impl Iterator<Item = &TaskLine> {
        self.listing.tasks.iter().take(Listing::SHOWN)
    }

    fn left_out(&self) -> usize {
        self.listing.total.saturating_sub(self.shown().count())
    }
}
