//! Which rows of a picture.

use std::iter;
use std::ops::Range;

use pf_media::picture::Size;

/// A set of a picture's rows: a few ranges, in order and apart from one another.
///
/// It may hold a few rows more than were added: neighbours become one range, since each range costs whoever goes
/// through it about as much as 16 rows do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    ranges: Vec<Range<u32>>,
}

impl Rows {
    /// No rows.
    pub const fn none() -> Self {
        Self { ranges: Vec::new() }
    }

    /// All rows of a picture of `size`.
    pub fn all(size: Size) -> Self {
        let mut rows = Self::none();
        rows.add(0..size.height);
        rows
    }

    /// The ranges, from the top down.
    pub fn ranges(&self) -> &[Range<u32>] {
        &self.ranges
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Takes these rows in, too.
    pub fn add(&mut self, rows: Range<u32>) {
        if rows.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|range| range.end + NEAR < rows.start);
        let end = self.ranges.partition_point(|range| range.start <= rows.end.saturating_add(NEAR));
        let near = self.ranges.get(first..end).unwrap_or_default();
        let start = near.first().map_or(rows.start, |range| range.start.min(rows.start));
        let last = near.last().map_or(rows.end, |range| range.end.max(rows.end));
        self.ranges.splice(first..end.max(first), iter::once(start..last));
        if self.ranges.len() > MOST {
            self.join_nearest();
        }
    }

    /// Takes in what another set holds.
    pub fn add_all(&mut self, other: &Self) {
        for range in &other.ranges {
            self.add(range.clone());
        }
    }

    /// Those of these rows that a picture of `size` has.
    pub(crate) fn within(&self, size: Size) -> Self {
        let ranges = self.ranges.iter().map(|range| range.start..range.end.min(size.height));
        Self { ranges: ranges.filter(|range| !range.is_empty()).collect() }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.ranges.clear();
    }

    /// Makes one range of the two between which the fewest rows lie.
    fn join_nearest(&mut self) {
        let gaps = self.ranges.windows(2).map(|pair| pair[1].start - pair[0].end);
        if let Some((upper, _)) = gaps.enumerate().min_by_key(|(_, gap)| *gap) {
            let lower = self.ranges.remove(upper + 1);
            self.ranges[upper].end = lower.end;
        }
    }
}

/// How far apart ranges are at least: fetching 16 rows of 1280 pixels takes about as long as asking for them.
const NEAR: u32 = 16;

/// The most ranges of a set: enough for windows beside one another, few enough to ask for all of them at once.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ranges: &[Range<u32>]) -> Rows {
        let mut rows = Rows::none();
        for range in ranges {
            rows.add(range.clone());
        }
        rows
    }

    #[test]
    fn ranges_are_kept_in_order_whatever_order_they_come_in() {
        let expected = [0..10, 100..110, 200..210];
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for order in orders {
            let added = order.map(|index: usize| expected[index].clone());
            assert_eq!(rows(&added).ranges(), expected, "{order:?}");
        }
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one range is what is expected")]
    fn what_overlaps_or_lies_near_becomes_one_range() {
        assert_eq!(rows(&[10..20, 15..30]).ranges(), [10..30]);
        assert_eq!(rows(&[10..20, 20 + NEAR..40]).ranges(), [10..40]);
        assert_eq!(rows(&[20 + NEAR..40, 10..20]).ranges(), [10..40]);
        assert_eq!(rows(&[10..20, 21 + NEAR..40]).ranges(), [10..20, 21 + NEAR..40]);
        assert_eq!(rows(&[0..1, 100..101, 200..201, 1..200]).ranges(), [0..201]);
        assert_eq!(rows(&[0..100, 50..60]).ranges(), [0..100]);
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one range is what is expected")]
    fn no_rows_are_no_range() {
        assert!(rows(&[5..5]).is_empty());
        assert_eq!(rows(&[0..1, 90..90]).ranges(), [0..1]);
        assert!(Rows::all(Size::new(5, 0)).is_empty());
    }

    #[test]
    fn rows_below_a_picture_are_cut_off() {
        let rows = rows(&[0..10, 100..200, 300..310]);
        assert_eq!(rows.within(Size::new(1, 150)).ranges(), [0..10, 100..150]);
        assert!(rows.within(Size::new(1, 0)).is_empty());
    }

    /// A row that gets lost is a line on the screen that stays old.
    #[test]
    fn nothing_added_is_ever_lost_and_ranges_stay_few_and_apart() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as u32
        };
        for _ in 0..500 {
            let mut rows = Rows::none();
            let mut added = vec![false; 2200];
            for _ in 0..random(40) {
                let start = random(2100);
                let range = start..start + random(60);
                added[range.start as usize..range.end as usize].fill(true);
                rows.add(range);
            }
            let holds = |row: usize| rows.ranges().iter().any(|range| range.contains(&(row as u32)));
            assert!((0..added.len()).all(|row| !added[row] || holds(row)), "{rows:?}");
            assert!(rows.ranges().len() <= MOST);
            assert!(rows.ranges().windows(2).all(|pair| pair[0].end + NEAR < pair[1].start), "{rows:?}");
        }
    }
}
