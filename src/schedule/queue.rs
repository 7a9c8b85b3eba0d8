//! What is due when: a heap with one small item per thing to ask for.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use tokio::time::Instant;

/// Things to do, the earliest due first; of two due at once the one that was put in first.
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Item<T>>,
    count: u64,
}

#[derive(Debug)]
struct Item<T> {
    due: Instant,
    number: u64,
    what: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }
}

impl<T> Queue<T> {
    /// Puts something in.
    pub fn push(&mut self, due: Instant, what: T) {
        self.count += 1;
        self.heap.push(Item { due, number: self.count, what });
    }

    /// Takes everything out, each with the instant it is due, in no order.
    pub fn drain(&mut self) -> impl Iterator<Item = (Instant, T)> + use<'_, T> {
        self.heap.drain().map(|item| (item.due, item.what))
    }

    /// When the first is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|item| item.due)
    }

    /// Takes out the first if it is due by now, with the instant it was due.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, T)> {
        self.next_due().filter(|due| *due <= now)?;
        self.heap.pop().map(|item| (item.due, item.what))
    }
}

impl<T> Item<T> {
    const fn key(&self) -> (Instant, u64) {
        (self.due, self.number)
    }
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Turned round: the heap gives the greatest first, and we want the earliest.
impl<T> Ord for Item<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn it_gives_everything_back_in_order_of_due(delays in prop::collection::vec(0u64..100, 0..50)) {
            let start = Instant::now();
            let mut queue = Queue::default();
            for (number, delay) in delays.iter().enumerate() {
                queue.push(start + Duration::from_secs(*delay), number);
            }
            let mut given = Vec::new();
            while let Some(due) = queue.next_due() {
                given.push(queue.pop_due(due).unwrap());
            }
            prop_assert_eq!(given.len(), delays.len());
            prop_assert!(given.is_sorted());
        }
    }

    #[test]
    fn nothing_comes_out_before_it_is_due() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.push(now + Duration::from_secs(1), ());
        assert_eq!(queue.pop_due(now), None);
        let due = now + Duration::from_secs(1);
        assert_eq!(queue.pop_due(due + Duration::from_secs(9)), Some((due, ())), "however late it is");
    }
}
