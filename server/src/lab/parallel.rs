//! Independent work on all cores.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::LabError;

/// Runs `work` once on each core; an error of one is given when all have ended.
///
/// # Errors
/// What `work` failed with.
pub fn on_all_cores(work: impl Fn() -> Result<(), LabError> + Sync) -> Result<(), LabError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(&work)).collect();
        let results: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        results.into_iter().try_for_each(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// `work` of 0, 1, … `count` − 1, in that order, computed on all cores.
///
/// # Errors
/// The first error; what has not begun by then is not done.
pub fn map<T: Send>(count: usize, work: impl Fn(usize) -> Result<T, LabError> + Sync) -> Result<Vec<T>, LabError> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    on_all_cores(|| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            match work(index) {
                Ok(result) => results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result)),
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    })?;
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_an_error_ends_it() {
        assert_eq!(map(100, |index| Ok(index * index)).unwrap(), (0..100).map(|i| i * i).collect::<Vec<_>>());
        let failing = map(1_000, |index| match index {
            3 => Err(LabError::Missing { what: "x".into(), way_out: "y".into() }),
            _ => Ok(index),
        });
        assert!(matches!(failing, Err(LabError::Missing { .. })));
    }
}
