//! Which size a session gets of pictures that are larger than it wishes.

use pf_media::picture::Size;

/// The largest size of the shape of `source` that fits `wished`, and never a larger one than `source`.
pub(super) fn fit(source: Size, wished: Size) -> Size {
    if source.width <= wished.width && source.height <= wished.height {
        return source;
    }
    let [width, height] = [source.width, source.height].map(u64::from);
    let [most_wide, most_high] = [wished.width, wished.height].map(u64::from);
    // In whole numbers, since half a pixel too many would not fit.
    let of = |side: u64, by: u64, part: u64| u32::try_from((side * by / part).max(1)).unwrap_or(u32::MAX);
    if width * most_high >= height * most_wide {
        Size::new(wished.width, of(height, most_wide, width))
    } else {
        Size::new(of(width, most_high, height), wished.height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pictures_are_made_smaller_to_fit_and_keep_their_shape() {
        let fit = |width, height, most_wide, most_high| {
            let Size { width, height } = fit(Size::new(width, height), Size::new(most_wide, most_high));
            (width, height)
        };
        assert_eq!(fit(1920, 1080, 1280, 720), (1280, 720));
        assert_eq!(fit(1920, 1200, 1280, 720), (1152, 720));
        assert_eq!(fit(3840, 1080, 1280, 720), (1280, 360));
        assert_eq!(fit(1366, 768, 1280, 720), (1280, 719));
        assert_eq!(fit(4096, 1, 16, 16), (16, 1));
        assert_eq!(fit(1280, 720, 1920, 1080), (1280, 720), "never larger");
        assert_eq!(fit(1280, 720, 1280, 720), (1280, 720));
    }

    proptest! {
        /// A picture that does not fit is cut off by the client's window, and one that is too small is blurred.
        #[test]
        fn what_comes_out_fits_and_is_as_large_as_can_be(sides in prop::array::uniform4(1..=4096_u32)) {
            let [source, wished] = [Size::new(sides[0], sides[1]), Size::new(sides[2], sides[3])];
            let fitted = fit(source, wished);
            prop_assert!(fitted.is_streamable());
            prop_assert!(fitted.width <= wished.width.min(source.width));
            prop_assert!(fitted.height <= wished.height.min(source.height));
            prop_assert!(fitted == source || fitted.width == wished.width || fitted.height == wished.height);
        }
    }
}
