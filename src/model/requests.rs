//! How many requests something takes, API by API.

/// So many requests at each API of a cloud. Nearly all that is asked for takes one API; that needs no memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    first: Option<(&'static str, u32)>,
    others: Vec<(&'static str, u32)>,
}

impl Requests {
    /// One request at that API.
    pub const fn one(api: &'static str) -> Self {
        Self { first: Some((api, 1)), others: Vec::new() }
    }

    /// Counts one more.
    pub fn add(&mut self, api: &'static str) {
        self.change(api, |count| count.saturating_add(1));
    }

    /// Of each API the greater number.
    #[must_use]
    pub fn or_more(mut self, other: &Self) -> Self {
        other.iter().for_each(|(api, number)| self.change(api, |count| count.max(number)));
        self
    }

    /// Each API, and how many requests at it.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.first.iter().chain(&self.others).copied()
    }

    fn change(&mut self, api: &'static str, change: impl FnOnce(u32) -> u32) {
        let Some(first) = &mut self.first else { return self.first = Some((api, change(0))) };
        match std::iter::once(first).chain(&mut self.others).find(|(known, _)| *known == api) {
            Some((_, count)) => *count = change(*count),
            None => self.others.push((api, change(0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(apis: &str) -> Requests {
        let mut requests = Requests::default();
        for api in apis.split_whitespace() {
            requests.add(["List", "Show", "Look"].into_iter().find(|known| *known == api).unwrap());
        }
        requests
    }

    #[test]
    fn each_api_is_counted_for_itself() {
        let counted = requests("List Show Show Look Show List");
        assert_eq!(counted.iter().collect::<Vec<_>>(), [("List", 2), ("Show", 3), ("Look", 1)]);
        assert_eq!(requests("Show"), Requests::one("Show"));
    }

    #[test]
    fn the_greater_number_counts() {
        let more = requests("List Show Show").or_more(&requests("List List Show Look"));
        assert_eq!(more.iter().collect::<Vec<_>>(), [("List", 2), ("Show", 2), ("Look", 1)]);
    }
}
