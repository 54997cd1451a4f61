//! Dividing money: whole minor units that add up, by the largest remainder.

/// Divides `total` in proportion to `weights`. Each gets its part rounded down; what is left over goes, one unit each, to those whose
/// parts lost most, and among equals to the first. The parts add up to `total`, and where `total` is at most the sum of the weights, no
/// part exceeds its weight.
///
/// # Panics
///
/// When there is something to divide and all weights are zero.
pub fn apportion(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if total == 0 {
        return vec![0; weights.len()];
    }
    assert!(sum > 0, "{total} can't be divided among nobody");
    let exact = |weight: &u64| u128::from(total) * u128::from(*weight);
    // A part is at most the total, which has 64 bits.
    let mut parts: Vec<u64> = weights.iter().map(|weight| (exact(weight) / sum) as u64).collect();
    let left_over = total - parts.iter().sum::<u64>();
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    by_loss.sort_by_key(|place| std::cmp::Reverse(exact(&weights[*place]) % sum));
    for place in by_loss.into_iter().take(left_over as usize) {
        parts[place] += 1;
    }
    parts
}

/// A part of an amount in hundredths of a percent, rounded half up.
pub fn part_of(amount: u64, basis_points: u32) -> u64 {
    // At most the amount itself while it is at most all of it.
    ((u128::from(amount) * u128::from(basis_points) + 5_000) / 10_000) as u64
}

/// Hundredths of a percent as the links' document writes a percentage: `1.5`, `50`.
pub fn percent(basis_points: u32) -> String {
    let text = format!("{}.{:02}", basis_points / 100, basis_points % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_what_is_over_goes_to_who_lost_most() {
        for (total, weights, parts) in [
            (10_000, &[5_000, 5_000][..], &[5_000, 5_000][..]),
            // A cent that can't be halved is the first one's.
            (1, &[5_000, 5_000], &[1, 0]),
            (100, &[3_334, 3_333, 3_333], &[34, 33, 33]),
            (101, &[1, 1, 1], &[34, 34, 33]),
            (5, &[0, 9_999, 1], &[0, 5, 0]),
            (0, &[0, 0], &[0, 0]),
            (7, &[7], &[7]),
            (999_999_999_999, &[1, 9_999], &[100_000_000, 999_899_999_999]),
        ] {
            assert_eq!(apportion(total, weights), parts, "{total} among {weights:?}");
        }
    }

    #[test]
    fn whatever_is_taken_back_of_parts_fits_into_them() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let mut left: Vec<u64> = (0..1 + draw(6)).map(|_| draw(1_000)).collect();
            while left.iter().sum::<u64>() > 0 {
                let total = 1 + draw(left.iter().sum());
                let parts = apportion(total, &left);
                assert_eq!(parts.iter().sum::<u64>(), total);
                for (left, part) in left.iter_mut().zip(parts) {
                    *left = left.checked_sub(part).expect("no part exceeds what is left of it");
                }
            }
        }
    }

    #[test]
    fn percentages_are_exact_and_written_without_idle_zeros() {
        assert_eq!([part_of(10_000, 150), part_of(33, 150), part_of(34, 150), part_of(7, 0)], [150, 0, 1, 0]);
        assert_eq!([0, 5, 150, 125, 5_000, 10_000].map(percent), ["0", "0.05", "1.5", "1.25", "50", "100"]);
    }
}
