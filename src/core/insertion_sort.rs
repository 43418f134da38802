//! Sorting of a few values in a hundredth of the standard library's code: five of its sorts were a thirtieth of what a tab loads.

/// Sorts a few values by insertion, in place. Stable: values keep their order unless one `comes_before` the other.
pub fn insertion_sort<T>(values: &mut [T], comes_before: impl Fn(&T, &T) -> bool) {
    for end in 1..values.len() {
        let mut place = end;
        while place > 0 && comes_before(&values[place], &values[place - 1]) {
            values.swap(place, place - 1);
            place -= 1;
        }
    }
}

/// The median of a few values, the upper one of two; `None` of none.
pub fn median(values: &mut [f64]) -> Option<f64> {
    insertion_sort(values, |a, b| a.total_cmp(b).is_lt());
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        let mut random = SplitMix64::new(1);
        for length in 0..40 {
            let values: Vec<(usize, usize)> = (0..length).map(|index| (random.below(8), index)).collect();
            let (mut found, mut expected) = (values.clone(), values);
            insertion_sort(&mut found, |a, b| a.0 > b.0);
            expected.sort_by_key(|value| std::cmp::Reverse(value.0));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(3.0));
        assert_eq!(median(&mut []), None);
    }
}
