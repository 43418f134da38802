//! A pipeline over many threads whose results are consumed in the order of its items.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct State<R, E> {
    next: usize,
    taken: usize,
    ready: BTreeMap<usize, Result<R, E>>,
    /// Of a thread that could not start.
    failed: Option<E>,
    alive: usize,
    stopping: bool,
}

struct Queue<R, E> {
    state: Mutex<State<R, E>>,
    /// What is taken next may be there: for the thread that takes.
    ready: Condvar,
    /// There may be room: for the threads that work.
    room: Condvar,
}

impl<R, E> Queue<R, E> {
    fn lock(&self) -> MutexGuard<'_, State<R, E>> {
        // A thread that panics does so at work, not while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the thread that takes.
    fn change(&self, change: impl FnOnce(&mut State<R, E>)) {
        change(&mut self.lock());
        self.ready.notify_one();
    }
}

/// Says that a thread is gone, whether it ended or panicked.
struct Alive<'a, R, E>(&'a Queue<R, E>);

impl<R, E> Drop for Alive<'_, R, E> {
    fn drop(&mut self) {
        self.0.change(|state| state.alive -= 1);
    }
}

/// The threads of a pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// How many work.
    pub count: usize,
    /// How many items ahead of the oldest unfinished one they may be, for each thread: it bounds what waits in memory.
    pub ahead: usize,
}

impl Threads {
    /// One for each core, each one item ahead.
    pub fn on_all_cores() -> Self {
        Self { count: std::thread::available_parallelism().map_or(1, usize::from), ahead: 1 }
    }

    /// No more than `count`.
    pub fn at_most(self, count: usize) -> Self {
        Self { count: self.count.min(count), ..self }
    }

    /// Together `items` ahead, or each one.
    pub fn ahead(self, items: usize) -> Self {
        Self { ahead: items.div_ceil(self.count).max(1), ..self }
    }
}

/// Does `work` for each of `items` on several threads, each with what `start` makes, and hands the results to `take`
/// on this thread, in the items' order. Everything before the first error is taken.
///
/// # Errors
/// The first error of `start`, `work` or `take`; threads stop after their item.
pub fn ordered_pipeline<W, R: Send, E: Send>(
    items: Range<usize>,
    threads: Threads,
    start: impl Fn() -> Result<W, E> + Sync,
    work: impl Fn(&W, usize) -> Result<R, E> + Sync,
    mut take: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let Threads { count, ahead } = threads;
    let count = count.clamp(1, items.len().max(1));
    let queue = Queue {
        state: Mutex::new(State {
            next: items.start,
            taken: items.start,
            ready: BTreeMap::new(),
            failed: None,
            alive: count,
            stopping: false,
        }),
        ready: Condvar::new(),
        room: Condvar::new(),
    };
    let run = || {
        let _alive = Alive(&queue);
        let worker = match start() {
            Ok(worker) => worker,
            Err(error) => return queue.change(|state| state.failed = Some(error)),
        };
        while let Some(item) = claim(&queue, items.end, count * ahead.max(1)) {
            let result = work(&worker, item);
            let mut state = queue.lock();
            let is_next = item == state.taken;
            state.ready.insert(item, result);
            drop(state);
            if is_next {
                queue.ready.notify_one();
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(run);
        }
        let taken = take_all(&queue, items.end, &mut take);
        queue.lock().stopping = true;
        queue.room.notify_all();
        taken
    })
}

/// The same without anything made by each thread; hands `size` results at a time to `take`, and last what is left.
///
/// # Errors
/// The first error of `work` or `take`; results before an error of `work` that do not fill a batch are not taken.
pub fn ordered_batches<R: Send, E: Send>(
    items: Range<usize>,
    threads: Threads,
    size: usize,
    work: impl Fn(usize) -> Result<R, E> + Sync,
    mut take: impl FnMut(Vec<R>) -> Result<(), E>,
) -> Result<(), E> {
    let mut batch = Vec::with_capacity(size);
    let collect = |_, result| {
        batch.push(result);
        if batch.len() < size { Ok(()) } else { take(std::mem::take(&mut batch)) }
    };
    ordered_pipeline(items, threads, || Ok(()), |(), item| work(item), collect)?;
    if batch.is_empty() { Ok(()) } else { take(batch) }
}

/// The next item for a thread, as soon as it is not too far ahead.
fn claim<R, E>(queue: &Queue<R, E>, end: usize, ahead: usize) -> Option<usize> {
    let mut state = queue.lock();
    while !state.stopping && state.next < end && state.next >= state.taken + ahead {
        state = queue.room.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    if state.stopping || state.next >= end {
        return None;
    }
    state.next += 1;
    Some(state.next - 1)
}

fn take_all<R, E>(queue: &Queue<R, E>, end: usize, take: &mut impl FnMut(usize, R) -> Result<(), E>) -> Result<(), E> {
    loop {
        let mut state = queue.lock();
        let item = state.taken;
        if item >= end {
            return Ok(());
        }
        let result = loop {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if let Some(result) = state.ready.remove(&item) {
                break result;
            }
            if state.alive == 0 {
                // A thread panicked: the scope tells.
                return Ok(());
            }
            state = queue.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.taken += 1;
        drop(state);
        queue.room.notify_one();
        take(item, result?)?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_from_however_many_threads() {
        for (count, ahead) in [(1, 8), (3, 1), (8, 8)] {
            let threads = Threads { count, ahead };
            let mut taken = Vec::new();
            let work = |_: &(), item: usize| {
                std::thread::sleep(Duration::from_micros((item as u64 * 7) % 5 * 200));
                Ok::<_, ()>(item * 2)
            };
            ordered_pipeline(
                5..100,
                threads,
                || Ok(()),
                work,
                |item, result| {
                    taken.push((item, result));
                    Ok(())
                },
            )
            .unwrap();
            assert!(taken.into_iter().eq((5..100).map(|item| (item, item * 2))), "{threads:?}");
        }
    }

    #[test]
    fn batches_are_full_but_for_the_last() {
        for (items, expected) in [(0, vec![]), (4, vec![2, 2]), (5, vec![2, 2, 1])] {
            let mut taken = Vec::new();
            let take = |batch: Vec<usize>| {
                taken.push(batch);
                Ok::<_, ()>(())
            };
            ordered_batches(0..items, Threads { count: 2, ahead: 1 }, 2, Ok, take).unwrap();
            assert!(taken.iter().map(Vec::len).eq(expected));
            assert!(taken.into_iter().flatten().eq(0..items));
        }
        let work = |item| if item == 3 { Err("three") } else { Ok(item) };
        let threads = Threads { count: 2, ahead: 1 };
        let mut taken = Vec::new();
        let take = |batch| {
            taken.push(batch);
            Ok(())
        };
        assert_eq!(ordered_batches(0..5, threads, 2, work, take), Err("three"));
        assert_eq!(taken, [[0, 1]]);
    }

    #[test]
    fn everything_before_the_first_error_is_taken() {
        let mut taken = Vec::new();
        let work = |_: &(), item: usize| if item == 40 { Err("forty") } else { Ok(item) };
        let result = ordered_pipeline(
            0..100,
            Threads { count: 4, ahead: 8 },
            || Ok(()),
            work,
            |item, _| {
                taken.push(item);
                Ok(())
            },
        );
        assert_eq!(result, Err("forty"));
        assert!(taken.into_iter().eq(0..40));
        let threads = Threads { count: 2, ahead: 8 };
        assert_eq!(
            ordered_pipeline(0..10, threads, || Err::<(), _>("start"), |_, _| Ok(()), |_, ()| Ok(())),
            Err("start")
        );
        assert_eq!(ordered_pipeline(0..0, threads, || Ok::<_, ()>(()), |_, _| Ok(()), |_, ()| Ok(())), Ok(()));
    }
}
