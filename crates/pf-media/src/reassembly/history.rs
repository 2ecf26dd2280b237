//! Which of the last frames the decoder got.

use pf_proto::media::MAX_REFERENCE;

/// The frames that were handed out, as far back as another may refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    newest: Option<u64>,
    /// Bit n: the frame n before the newest.
    decoded: [u64; WORDS],
}

impl History {
    /// Remembers that `frame`, which is newer than all before, was handed out.
    pub(super) fn insert(&mut self, frame: u64) {
        let ahead = self.newest.map_or(u64::MAX, |newest| frame.saturating_sub(newest));
        self.shift(ahead);
        self.newest = Some(frame);
        self.decoded[0] |= 1;
    }

    /// Forgets `frame` and all after it.
    pub(super) fn forget_from(&mut self, frame: u64) {
        let Some(newest) = self.newest else { return };
        for back in 0..=newest.saturating_sub(frame).min(WINDOW - 1) {
            if newest >= frame {
                self.decoded[(back / 64) as usize] &= !(1 << (back % 64));
            }
        }
    }

    pub(super) fn contains(&self, frame: u64) -> bool {
        self.newest
            .and_then(|newest| newest.checked_sub(frame))
            .is_some_and(|back| back < WINDOW && self.decoded[(back / 64) as usize] >> (back % 64) & 1 == 1)
    }

    /// The newest frame that the decoder has.
    pub(super) fn newest(&self) -> Option<u64> {
        let newest = self.newest?;
        let (word, bits) = self.decoded.iter().enumerate().find(|&(_, &bits)| bits != 0)?;
        newest.checked_sub(word as u64 * 64 + u64::from(bits.trailing_zeros()))
    }

    fn shift(&mut self, by: u64) {
        let (words, bits) = ((by / 64) as usize, by % 64);
        for at in (0..WORDS).rev() {
            let word = |back: usize| at.checked_sub(back).map_or(0, |from| self.decoded[from]);
            let carried = if bits == 0 { 0 } else { word(words.saturating_add(1)) >> (64 - bits) };
            self.decoded[at] = word(words) << bits | carried;
        }
    }
}

/// How far back is remembered: what a frame may refer to, and itself.
const WINDOW: u64 = MAX_REFERENCE as u64 + 64;

const WORDS: usize = WINDOW as usize / 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_remembers_what_a_set_would_within_its_window(
            steps in prop::collection::vec((prop_oneof![1..4_u64, 1..200_u64, 1..3000_u64], prop::option::weighted(0.1, 0..300_u64)), 1..40),
        ) {
            let (mut history, mut set) = (History::default(), BTreeSet::new());
            let mut frame = 1 << 32;
            for (ahead, forget) in steps {
                frame += ahead;
                history.insert(frame);
                set.insert(frame);
                if let Some(back) = forget {
                    history.forget_from(frame - back);
                    set.retain(|&known| known < frame - back);
                }
                for asked in frame - WINDOW + 1..frame + 3 {
                    prop_assert_eq!(history.contains(asked), set.contains(&asked), "{} at {}", asked, frame);
                }
                prop_assert!(!history.contains(frame - WINDOW) && !history.contains(0));
                let newest = set.last().copied().filter(|&last| frame - last < WINDOW);
                prop_assert_eq!(history.newest(), newest);
            }
        }
    }
}
