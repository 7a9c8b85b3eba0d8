//! How many requests an asking takes: the client notes them, and whoever asks counts.
//!
//! Between the two lie the clouds, which go about an answer each in its own way and need not know that anybody counts.

use crate::model::Requests;
use std::cell::RefCell;
use tokio::task_local;

task_local! {
    static TAKEN: RefCell<Requests>;
}

/// What comes of an asking, and the requests it took: each once however often it was sent, and none of those that brought
/// keys or what is asked once for all.
pub async fn counted<F: Future>(asking: F) -> (F::Output, Requests) {
    let counting = async { (asking.await, TAKEN.with(RefCell::take)) };
    TAKEN.scope(RefCell::default(), counting).await
}

/// Notes a request of the asking within which this is called, if there is one.
pub(crate) fn note(api: &'static str) {
    // Not every request is part of an asking that somebody counts.
    TAKEN.try_with(|taken| taken.borrow_mut().add(api)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn askings_that_take_turns_are_counted_apart() {
        let asking = async |apis: &[&'static str]| {
            for api in apis {
                note(api);
                yield_now().await;
            }
            apis.len()
        };
        note("Nobody");
        let one = counted(asking(&["List", "Show", "Show"]));
        let ((one, of_one), (other, of_other)) = join(one, counted(asking(&["Show"]))).await;
        assert_eq!((one, other), (3, 1));
        assert_eq!(of_one.iter().collect::<Vec<_>>(), [("List", 1), ("Show", 2)]);
        assert_eq!(of_other, Requests::one("Show"));
    }
}
