//! Jobs that are always there, each for a trouble that somebody has to be told of: one that fails and is retried, one that
//! waits for ever, one that never ends.
//!
//! Like the rest of the world they are functions of its beginning and of `now`; no chance is in them.

use super::world::{Attempt, End, Job, Life, World, after};
use jiff::Timestamp;

/// The failing job begins anew after so many seconds.
const RETRIED_EVERY: i64 = 90;
/// The world begins so many seconds into a round: at ten minutes, when a demo begins, the job is about to fail.
const INTO_THE_ROUND: i64 = 50;

impl World {
    /// A job whose first instance fails in every round, and which is retried a minute after that.
    pub fn retried(&self, now: Timestamp) -> Job {
        let round = (now.duration_since(self.epoch()).as_secs() + INTO_THE_ROUND).div_euclid(RETRIED_EVERY);
        let submitted = after(self.epoch(), round * RETRIED_EVERY - INTO_THE_ROUND);
        let fails = attempt(submitted, Some(25), End::Failed(1));
        let lives = vec![Life::of(fails), Life::of(attempt(submitted, Some(20), End::Succeeded))];
        Job { number: 0, submitted, lives }
    }

    /// A job that waits since the world began for a machine that does not come.
    pub fn stuck(&self) -> Job {
        let created = self.epoch();
        let never = Attempt {
            created,
            launched: Timestamp::MAX,
            running: Timestamp::MAX,
            ended: Timestamp::MAX,
            end: End::Succeeded,
        };
        Job { number: 0, submitted: created, lives: vec![Life::of(never)] }
    }

    /// A job that runs since the world began and does not end.
    pub fn endless(&self) -> Job {
        let created = self.epoch();
        Job { number: 0, submitted: created, lives: vec![Life::of(attempt(created, None, End::Succeeded))] }
    }
}

/// An attempt that runs ten seconds after it was made, for so many seconds or without an end.
fn attempt(created: Timestamp, runs: Option<i64>, end: End) -> Attempt {
    let running = after(created, 10);
    let ended = runs.map_or(Timestamp::MAX, |seconds| after(running, seconds));
    Attempt { created, launched: after(created, 5), running, ended, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::world::Stage;

    fn stages(tell: impl Fn(&World, Timestamp) -> Job) -> Vec<Stage> {
        let world = World::new(1, Timestamp::from_second(1_700_000_000).unwrap());
        let mut stages: Vec<Stage> =
            (600..1_200).map(|second| after(world.epoch(), second)).map(|now| tell(&world, now).stage(now)).collect();
        stages.dedup();
        stages
    }

    #[test]
    fn the_failing_job_fails_first_and_is_retried_again_and_again() {
        let told = stages(World::retried);
        let failures = told.iter().filter(|stage| **stage == Stage::Failed).count();
        assert!((6..=7).contains(&failures), "{told:?}");
        assert_eq!(told[..2], [Stage::Running, Stage::Failed]);
    }

    #[test]
    fn the_others_stay_as_they_are() {
        assert_eq!(stages(|world, _| world.stuck()), [Stage::Pending]);
        assert_eq!(stages(|world, _| world.endless()), [Stage::Running]);
    }
}
