//! Partial labels: what a clip's raters said, as a distribution.

/// Softmax over the raw counts, with zero counts removed (paper, section 3.2). `None` if nobody voted.
///
/// The paper removes them by setting them to −10⁻⁹, evidently a slip for a large negative number.
pub fn vote_distribution(counts: &[u32]) -> Option<Vec<f64>> {
    let most = counts.iter().copied().max().filter(|&most| most > 0)?;
    let power = |count: u32| if count == 0 { 0.0 } else { (f64::from(count) - f64::from(most)).exp() };
    let sum: f64 = counts.iter().copied().map(power).sum();
    Some(counts.iter().map(|&count| power(count) / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_voted() {
        assert_eq!(vote_distribution(&[0; 6]), None);
        assert_eq!(vote_distribution(&[]), None);
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        assert_eq!(vote_distribution(&[u32::MAX, 1, 0]), Some(vec![1.0, 0.0, 0.0]));
    }
}
