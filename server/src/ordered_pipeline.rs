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
    changed: Condvar,
}

impl<R, E> Queue<R, E> {
    fn lock(&self) -> MutexGuard<'_, State<R, E>> {
        // A thread that panics does so at work, not while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<R, E>>) -> MutexGuard<'a, State<R, E>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State<R, E>)) {
        change(&mut self.lock());
        self.changed.notify_all();
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
        changed: Condvar::new(),
    };
    let run = || {
        let _alive = Alive(&queue);
        let worker = match start() {
            Ok(worker) => worker,
            Err(error) => return queue.change(|state| state.failed = Some(error)),
        };
        while let Some(item) = claim(&queue, items.end, count * ahead.max(1)) {
            let result = work(&worker, item);
            queue.change(|state| drop(state.ready.insert(item, result)));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(run);
        }
        let taken = take_all(&queue, items.end, &mut take);
        queue.change(|state| state.stopping = true);
        taken
    })
}

/// The next item for a thread, as soon as it is not too far ahead.
fn claim<R, E>(queue: &Queue<R, E>, end: usize, ahead: usize) -> Option<usize> {
    let mut state = queue.lock();
    while !state.stopping && state.next < end && state.next >= state.taken + ahead {
        state = queue.wait(state);
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
            state = queue.wait(state);
        };
        state.taken += 1;
        drop(state);
        queue.changed.notify_all();
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
