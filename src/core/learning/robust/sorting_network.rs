//! Batcher's odd-even merge sort: the same comparisons whatever the values are, so that many columns are sorted at once with
//! vectors' minimum and maximum.

use crate::simd::{Simd, Vector as _};

/// Comparisons, in order: each puts the smaller value on the first wire, the larger on the second.
#[derive(Clone, Debug)]
pub(super) struct SortingNetwork(Vec<(u32, u32)>);

impl SortingNetwork {
    /// A network over `wires` after which the wires in `wanted` hold what sorting puts there; the others hold anything.
    /// Comparisons that no such wire depends on are left out.
    pub fn new(wires: usize, wanted: std::ops::Range<usize>) -> Self {
        let mut all = Vec::new();
        let mut run = 1;
        while run < wires {
            let mut distance = run;
            while distance > 0 {
                for start in ((distance % run)..wires.saturating_sub(distance)).step_by(2 * distance) {
                    for low in start..(start + distance).min(wires - distance) {
                        let high = low + distance;
                        if low / (2 * run) == high / (2 * run) {
                            all.push((low as u32, high as u32));
                        }
                    }
                }
                distance /= 2;
            }
            run *= 2;
        }
        let mut is_wanted: Vec<bool> = (0..wires).map(|wire| wanted.contains(&wire)).collect();
        let mut needed: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for &(low, high) in all.iter().rev() {
            if is_wanted[low as usize] || is_wanted[high as usize] {
                (is_wanted[low as usize], is_wanted[high as usize]) = (true, true);
                needed.push((low, high));
            }
        }
        needed.reverse();
        Self(needed)
    }

    /// Sorts columns: lane by lane over all wires. `LANES` is a multiple of the instruction set's.
    #[inline(always)]
    pub fn sort<S: Simd, const LANES: usize>(&self, simd: S, wires: &mut [[f32; LANES]]) {
        for &(low, high) in &self.0 {
            let (before, behind) = wires.split_at_mut(high as usize);
            let pairs = S::chunks_mut(&mut before[low as usize]).iter_mut().zip(S::chunks_mut(&mut behind[0]));
            for (low, high) in pairs {
                let (one, other) = (simd.load(low), simd.load(high));
                (*low, *high) = (one.min(other).to_lanes(), one.max(other).to_lanes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Four;

    #[test]
    fn every_pattern_of_zeros_and_ones_is_sorted() {
        // By the zero-one principle, it then sorts everything.
        for wires in 1..=12_usize {
            let network = SortingNetwork::new(wires, 0..wires);
            let middle = wires / 3..wires - wires / 3;
            let selection = SortingNetwork::new(wires, middle.clone());
            assert!(selection.0.len() <= network.0.len());
            for pattern in 0..1_u32 << wires {
                let mut columns: Vec<[f32; 4]> = (0..wires).map(|wire| [(pattern >> wire & 1) as f32; 4]).collect();
                let mut selected = columns.clone();
                network.sort(Four, &mut columns);
                assert!(columns.is_sorted(), "{wires} wires, pattern {pattern:b}");
                selection.sort(Four, &mut selected);
                assert_eq!(selected[middle.clone()], columns[middle.clone()], "{wires} wires, pattern {pattern:b}");
            }
        }
    }

    #[test]
    fn it_is_as_short_as_batchers() {
        // (p² − p + 4) · 2^(p − 2) − 1 comparisons of 2^p values.
        for (wires, comparisons) in [(2, 1), (4, 5), (8, 19), (16, 63), (128, 1_471)] {
            assert_eq!(SortingNetwork::new(wires, 0..wires).0.len(), comparisons);
        }
    }
}
