//! How much is asked of each API by intervals: the requests that each asking takes, divided by its period, summed up.
//!
//! The sums are whole numbers of requests for each period, so none drifts however often it is changed, and a change costs
//! the same however much there is to ask for.

use crate::model::Requests;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// What each of many things to ask for asks of each API.
#[derive(Debug)]
pub struct Demand<K> {
    shares: HashMap<K, Share>,
    sums: Sums,
}

/// What one asks.
#[derive(Debug)]
struct Share {
    takes: Requests,
    period: Duration,
}

/// What all ask of each API. One that was asked once stays, at nothing.
#[derive(Debug, Default)]
struct Sums(BTreeMap<&'static str, Sum>);

#[derive(Debug, Default)]
struct Sum {
    requests: BTreeMap<Duration, u64>,
    has_changed: bool,
}

impl<K> Default for Demand<K> {
    fn default() -> Self {
        Self { shares: HashMap::new(), sums: Sums::default() }
    }
}

impl<K: Eq + Hash> Demand<K> {
    /// From now on it is asked for once in that period; none: no more. What is new counts as `guess` until it was asked.
    pub fn plan(&mut self, what: K, period: Option<Duration>, guess: impl FnOnce() -> Requests) {
        let Some(period) = period else { return self.forget(&what) };
        match self.shares.entry(what) {
            Entry::Vacant(new) => self.sums.add(new.insert(Share { takes: guess(), period })),
            Entry::Occupied(known) if known.get().period == period => {}
            Entry::Occupied(known) => {
                let share = known.into_mut();
                self.sums.subtract(share);
                share.period = period;
                self.sums.add(share);
            }
        }
    }

    /// It was asked for, and that took those requests. One that failed may have ended before its last request: it says how
    /// many it takes at the least.
    pub fn asked(&mut self, what: &K, took: Requests, has_failed: bool) {
        let Some(share) = self.shares.get_mut(what) else { return };
        let takes = if has_failed { took.or_more(&share.takes) } else { took };
        if share.takes != takes {
            self.sums.subtract(share);
            share.takes = takes;
            self.sums.add(share);
        }
    }

    /// It is not asked for any more.
    pub fn forget(&mut self, what: &K) {
        if let Some(share) = self.shares.remove(what) {
            self.sums.subtract(&share);
        }
    }

    /// Forgets what is not to be kept.
    pub fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        for (_, share) in self.shares.extract_if(|what, _| !is_kept(what)) {
            self.sums.subtract(&share);
        }
    }

    /// The APIs of which something else is asked than at the last call, and how many requests per second now.
    pub fn changes(&mut self) -> impl Iterator<Item = (&'static str, f64)> {
        let told = |sum: &mut Sum| std::mem::take(&mut sum.has_changed).then(|| sum.per_second());
        self.sums.0.iter_mut().filter_map(move |(api, sum)| Some((*api, told(sum)?)))
    }
}

impl Sums {
    fn add(&mut self, share: &Share) {
        self.change(share, u64::saturating_add);
    }

    fn subtract(&mut self, share: &Share) {
        self.change(share, u64::saturating_sub);
    }

    fn change(&mut self, share: &Share, change: impl Fn(u64, u64) -> u64) {
        for (api, number) in share.takes.iter() {
            let sum = self.0.entry(api).or_default();
            let requests = sum.requests.entry(share.period).or_default();
            *requests = change(*requests, number.into());
            if *requests == 0 {
                sum.requests.remove(&share.period);
            }
            sum.has_changed = true;
        }
    }
}

impl Sum {
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
    fn per_second(&self) -> f64 {
        // The sum of no numbers is a negative zero.
        self.requests.iter().fold(0.0, |sum, (period, requests)| sum + *requests as f64 / period.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const APIS: [&str; 3] = ["List", "Look", "Show"];

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn requests(apis: &[&'static str]) -> Requests {
        let mut requests = Requests::default();
        for api in apis {
            requests.add(api);
        }
        requests
    }

    fn changes<K: Eq + Hash>(demand: &mut Demand<K>) -> Vec<(&'static str, f64)> {
        demand.changes().collect()
    }

    #[test]
    fn what_each_takes_is_divided_by_its_period() {
        let mut demand = Demand::default();
        for task in 0..30 {
            demand.plan(task, Some(seconds(60)), || Requests::one("Show"));
        }
        assert_eq!(changes(&mut demand), [("Show", 0.5)], "before any was asked for");
        demand.asked(&0, requests(&["Show", "Show", "List"]), false);
        demand.plan(1, Some(seconds(30)), || unreachable!("it is known"));
        demand.plan(2, None, || unreachable!("it is not asked for"));
        assert_eq!(changes(&mut demand), [("List", 1.0 / 60.0), ("Show", 1.0 / 30.0 + 29.0 / 60.0)]);
        demand.asked(&0, requests(&["Show", "Show", "List"]), false);
        demand.asked(&2, requests(&["Look"]), false);
        assert_eq!(changes(&mut demand), [], "nothing has changed, and what is forgotten stays so");
    }

    #[test]
    fn what_failed_takes_at_least_what_it_took() {
        let mut demand = Demand::default();
        demand.plan((), Some(seconds(1)), || requests(&["Show"]));
        for (took, has_failed, shows) in [
            (vec![], true, 1.0),
            (vec!["Show"; 3], true, 3.0),
            (vec!["Show"], true, 3.0),
            (vec!["Show"], false, 1.0),
            (vec![], false, 0.0),
        ] {
            demand.asked(&(), requests(&took), has_failed);
            demand.sums.0.entry("Show").or_default().has_changed = true;
            assert_eq!(changes(&mut demand), [("Show", shows)], "{took:?}");
        }
    }

    #[test]
    fn an_api_that_is_not_asked_any_more_is_told_of_once_as_zero() {
        let mut demand = Demand::default();
        demand.plan("task", Some(seconds(10)), || Requests::one("Show"));
        demand.plan("list", Some(seconds(10)), || requests(&["List", "Look"]));
        demand.retain(|what| *what != "list");
        demand.forget(&"task");
        let told = changes(&mut demand);
        assert_eq!(told, [("List", 0.0), ("Look", 0.0), ("Show", 0.0)]);
        assert!(told.iter().all(|(_, rate)| rate.is_sign_positive()));
        assert_eq!(changes(&mut demand), []);
    }

    /// A step: what is done to which of a few things.
    #[derive(Clone, Debug)]
    enum Step {
        Plan(u8, Option<u32>, Vec<&'static str>),
        Asked(u8, Vec<&'static str>, bool),
        Forget(u8),
        Retain(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let apis = || prop::collection::vec(prop::sample::select(&APIS[..]), 0..4);
        prop_oneof![
            (0u8..8, prop::option::of(1u32..5), apis()).prop_map(|(what, period, apis)| Step::Plan(what, period, apis)),
            (0u8..8, apis(), any::<bool>()).prop_map(|(what, apis, failed)| Step::Asked(what, apis, failed)),
            (0u8..8).prop_map(Step::Forget),
            (0u8..8).prop_map(Step::Retain),
        ]
    }

    type Plain = BTreeMap<u8, (u32, BTreeMap<&'static str, u32>)>;

    fn counts(apis: &[&'static str]) -> BTreeMap<&'static str, u32> {
        let mut counts = BTreeMap::new();
        for api in apis {
            *counts.entry(*api).or_default() += 1;
        }
        counts
    }

    /// The same without sums.
    fn follow(plain: &mut Plain, step: Step) {
        match step {
            Step::Plan(what, None, _) | Step::Forget(what) => drop(plain.remove(&what)),
            Step::Plan(what, Some(period), guess) => {
                plain.entry(what).or_insert_with(|| (period, counts(&guess))).0 = period;
            }
            Step::Asked(what, apis, has_failed) => {
                let Some((_, takes)) = plain.get_mut(&what) else { return };
                let before = std::mem::replace(takes, counts(&apis));
                for (api, number) in before.into_iter().filter(|_| has_failed) {
                    let takes = takes.entry(api).or_default();
                    *takes = number.max(*takes);
                }
            }
            Step::Retain(least) => plain.retain(|what, _| *what >= least),
        }
    }

    proptest! {
        #[test]
        fn the_sums_are_those_of_the_shares_whatever_came_before(steps in prop::collection::vec(step(), 0..200)) {
            let (mut demand, mut plain, mut told) = (Demand::default(), Plain::default(), BTreeMap::new());
            for step in steps {
                match step.clone() {
                    Step::Plan(what, period, guess) => demand.plan(what, period.map(|period| seconds(period.into())), || requests(&guess)),
                    Step::Asked(what, took, has_failed) => demand.asked(&what, requests(&took), has_failed),
                    Step::Forget(what) => demand.forget(&what),
                    Step::Retain(least) => demand.retain(|what| *what >= least),
                }
                told.extend(demand.changes());
                follow(&mut plain, step);
                for (api, rate) in &told {
                    // Every period divides twelve seconds.
                    let in_twelve: u32 = plain.values().map(|(period, takes)| takes.get(api).unwrap_or(&0) * 12 / period).sum();
                    prop_assert!((rate * 12.0 - f64::from(in_twelve)).abs() < 1e-9, "{api}: {rate}, not {in_twelve} / 12");
                }
                let asked: Vec<_> = plain.values().flat_map(|(_, takes)| takes.keys()).collect();
                prop_assert!(asked.iter().all(|api| told.contains_key(**api)), "what is asked was told");
            }
            demand.retain(|_| false);
            told.extend(demand.changes());
            prop_assert!(told.values().all(|rate| *rate == 0.0), "exactly nothing is left: {told:?}");
        }
    }
}
