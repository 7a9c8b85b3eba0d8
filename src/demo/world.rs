//! A small deterministic world: jobs are submitted, wait, start, run, fail, are interrupted, are retried and end.
//!
//! Everything is a function of the seed and of `now`; nothing ticks. It knows no cloud: each simulator tells the same lives
//! in its vendor's words.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

/// A new job of a stream is submitted so often.
const SUBMIT_EVERY: i64 = 20;
/// Jobs older than this are deleted.
const KEPT: i64 = 20 * 60;
/// A cyclic job begins again so often.
const CYCLE: i64 = 6 * 60;
/// An interrupted instance is terminated after so long; until then its machine is paid for.
const INTERRUPTED_FOR: i64 = 90;

/// The world of one seed.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    epoch: Timestamp,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With exit code 0.
    Succeeded,
    /// With this exit code.
    Failed(i64),
    /// Failed, and the machine is kept for a while.
    Interrupted(i64),
}

/// Where an instance, or a whole job, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Just accepted.
    Submitted,
    /// Waits for what it depends on.
    Pending,
    /// Waits for a machine.
    Runnable,
    /// The machine starts.
    Starting,
    /// The command runs.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly; the machine is kept.
    Interrupted,
    /// Ended badly.
    Failed,
}

/// One attempt of an instance: every instant is decided at birth.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Made.
    pub created: Timestamp,
    /// Its machine begins to start.
    pub launched: Timestamp,
    /// Its command begins to run.
    pub running: Timestamp,
    /// Its command ends.
    pub ended: Timestamp,
    /// How it ends.
    pub end: End,
}

/// The life of one instance: its attempts, first to last.
#[derive(Clone, Debug)]
pub struct Life {
    attempts: Vec<Attempt>,
}

/// One job with its instances.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number in its stream.
    pub number: u64,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// Its instances.
    pub lives: Vec<Life>,
}

impl World {
    /// A world that begins at `epoch`. The same seed gives the same lives relative to it.
    pub const fn new(seed: u64, epoch: Timestamp) -> Self {
        Self { seed, epoch }
    }

    /// When it began.
    pub(super) const fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// The jobs of a stream that exist at `now`, oldest first.
    pub fn jobs(&self, stream: &str, now: Timestamp) -> Vec<Job> {
        let age = now.duration_since(self.epoch).as_secs().max(0);
        let newest = age / SUBMIT_EVERY;
        let oldest = ((age - KEPT) / SUBMIT_EVERY + 1).max(0);
        (oldest..=newest)
            .filter_map(|number| u64::try_from(number).ok())
            .map(|number| self.job(stream, number))
            .filter(|job| job.submitted <= now)
            .collect()
    }

    /// One job of a stream, whether or not it exists already.
    pub fn job(&self, stream: &str, number: u64) -> Job {
        let mut rng = self.rng(stream, number);
        let offset =
            i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(SUBMIT_EVERY).saturating_add(rng.i64(0..10));
        make_job(number, after(self.epoch, offset), &mut rng)
    }

    /// A job that begins again under the same name every few minutes; `number` in it says which round it is.
    pub fn cyclic(&self, name: &str, now: Timestamp) -> Job {
        let shift = self.rng(name, u64::MAX).i64(0..CYCLE);
        let age = now.duration_since(self.epoch).as_secs() + shift;
        let round = age.div_euclid(CYCLE);
        let number = u64::try_from(round).unwrap_or_default();
        let mut rng = self.rng(name, number);
        make_job(number, after(self.epoch, round * CYCLE - shift), &mut rng)
    }

    fn rng(&self, stream: &str, number: u64) -> Rng {
        let mixed = stream.bytes().fold(self.seed ^ number.rotate_left(32), |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut rng = Rng::with_seed(mixed);
        // Neighbouring seeds give similar first numbers.
        rng.u64(..);
        rng
    }
}

impl Life {
    /// A life of one attempt.
    pub(super) fn of(attempt: Attempt) -> Self {
        Self { attempts: vec![attempt] }
    }

    /// Where the instance stands at `now`, and in which attempt; none before it was made.
    pub fn at(&self, now: Timestamp) -> Option<(Stage, &Attempt)> {
        let attempt = self.attempts.iter().rfind(|attempt| attempt.created <= now)?;
        Some((attempt.stage(now), attempt))
    }
}

impl Attempt {
    fn stage(&self, now: Timestamp) -> Stage {
        let waiting = self.launched.duration_since(self.created).as_secs();
        let stages = [
            (self.ended, self.stage_after_end(now)),
            (self.running, Stage::Running),
            (self.launched, Stage::Starting),
            (after(self.created, waiting / 2), Stage::Runnable),
            (after(self.created, 1), Stage::Pending),
        ];
        let reached = stages.into_iter().find(|(instant, _)| *instant <= now);
        reached.map_or(Stage::Submitted, |(_, stage)| stage)
    }

    fn stage_after_end(&self, now: Timestamp) -> Stage {
        match self.end {
            End::Succeeded => Stage::Succeeded,
            End::Interrupted(_) if now < after(self.ended, INTERRUPTED_FOR) => Stage::Interrupted,
            End::Interrupted(_) | End::Failed(_) => Stage::Failed,
        }
    }
}

impl Job {
    /// Where the job as a whole stands: at work while any instance is, then as bad as its worst instance.
    pub fn stage(&self, now: Timestamp) -> Stage {
        let stages: Vec<Stage> = self.lives.iter().filter_map(|life| life.at(now)).map(|(stage, _)| stage).collect();
        let ended = |stage: &&Stage| **stage >= Stage::Succeeded;
        let live = stages.iter().filter(|stage| !ended(stage)).max().copied();
        match live {
            Some(_) if stages.iter().any(|stage| ended(&stage)) => Stage::Running,
            Some(stage) => stage,
            None => stages.iter().max().copied().unwrap_or(Stage::Submitted),
        }
    }

    /// When the last instance ended, once all have.
    pub fn ended(&self, now: Timestamp) -> Option<Timestamp> {
        (self.stage(now) >= Stage::Succeeded).then(|| {
            let ends = self.lives.iter().filter_map(|life| life.at(now)).map(|(_, attempt)| attempt.ended);
            ends.max().unwrap_or(self.submitted)
        })
    }

    /// The last instant before `now` at which anything changed.
    pub fn updated(&self, now: Timestamp) -> Timestamp {
        let attempts = self.lives.iter().filter_map(|life| life.at(now)).map(|(_, attempt)| attempt);
        attempts
            .flat_map(|attempt| [attempt.launched, attempt.running, attempt.ended])
            .filter(|instant| *instant <= now)
            .max()
            .unwrap_or(self.submitted)
    }
}

fn make_job(number: u64, submitted: Timestamp, rng: &mut Rng) -> Job {
    let troubled = rng.u8(0..100) < 35;
    let lives = (0..rng.usize(1..=6)).map(|_| make_life(submitted, troubled, rng)).collect();
    Job { number, submitted, lives }
}

fn make_life(created: Timestamp, troubled: bool, rng: &mut Rng) -> Life {
    let first = make_attempt(created, troubled, rng);
    let mut attempts = vec![first];
    // Half of the plain failures are tried once more, a little later.
    if let Some(Attempt { end: End::Failed(_), ended, .. }) = attempts.first().cloned()
        && rng.bool()
    {
        attempts.push(make_attempt(after(ended, rng.i64(5..20)), false, rng));
    }
    Life { attempts }
}

fn make_attempt(created: Timestamp, troubled: bool, rng: &mut Rng) -> Attempt {
    let launched = after(created, rng.i64(4..25));
    let running = after(launched, rng.i64(2..12));
    let ended = after(running, rng.i64(15..120));
    let end = match rng.u8(0..100) {
        0..40 if troubled => End::Failed(*rng.choice(&[1, 2, 137, 139]).unwrap_or(&1)),
        40..60 if troubled => End::Interrupted(255),
        _ => End::Succeeded,
    };
    Attempt { created, launched, running, ended, end }
}

/// So many seconds later.
pub(super) fn after(instant: Timestamp, seconds: i64) -> Timestamp {
    instant.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new(1, Timestamp::from_second(1_700_000_000).unwrap())
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let now = after(world().epoch, 600);
        let tell = |world: &World| format!("{:?}", world.jobs("tencent", now));
        assert_eq!(tell(&world()), tell(&world()));
        assert_ne!(tell(&world()), tell(&World::new(2, world().epoch)));
    }

    #[test]
    fn within_minutes_everything_happens() {
        let world = world();
        let mut seen = std::collections::BTreeSet::new();
        for second in (0..900).step_by(5) {
            let now = after(world.epoch, second);
            for job in world.jobs("tencent", now) {
                seen.insert(job.stage(now));
                seen.extend(job.lives.iter().filter_map(|life| life.at(now)).map(|(stage, _)| stage));
            }
        }
        assert_eq!(seen.len(), 8, "{seen:?}");
    }

    #[test]
    fn no_number_and_no_instant_is_a_reason_to_stop() {
        let world = world();
        for number in [0, u64::MAX, i64::MAX.unsigned_abs()] {
            world.job("aliyun", number).stage(Timestamp::MAX);
        }
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            world.cyclic("nightly", now).updated(now);
            world.jobs("tencent", now).iter().for_each(|job| assert!(job.submitted <= now));
        }
    }

    #[test]
    fn retries_happen_and_a_cyclic_job_begins_again() {
        let world = world();
        let jobs = (0..100).map(|number| world.job("aliyun", number));
        assert!(jobs.flat_map(|job| job.lives).any(|life| life.attempts.len() > 1));
        let rounds: std::collections::BTreeSet<u64> =
            (0..1200).step_by(10).map(|second| world.cyclic("nightly", after(world.epoch, second)).number).collect();
        assert!(rounds.len() >= 3, "{rounds:?}");
    }
}
