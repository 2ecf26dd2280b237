//! Making pictures smaller, plane by plane: planes are less than half as many samples as pixels.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedCroppedImageMut, TypedImage, TypedImageRef},
    pixels::U8,
};
use pf_media::picture::Size;

use super::{I420, Plane, chroma_size, repeat_edge};

impl I420 {
    /// Takes on the pixels of `picture`, scaled to `size`, each side at least 1.
    ///
    /// Each pixel is the mean of those that it stands for, weighted by how near they are, so that text stays readable and
    /// thin lines do not flicker.
    #[expect(clippy::missing_panics_doc, reason = "each plane holds what its size and stride say")]
    pub fn fill_scaled(&mut self, picture: &Self, size: Size) {
        self.set_size(size);
        let stride = self.coded.width;
        let mut resizer = Resizer::new();
        let sizes =
            [(picture.size, size, stride), (chroma_size(picture.size), chroma_size(size), stride / 2)];
        let view = picture.view();
        for (index, (plane, into)) in view.planes().into_iter().zip(self.planes_mut()).enumerate() {
            let (from, to, stride) = sizes[index.min(1)];
            scale(&mut resizer, plane, from, into, stride, to).expect("both planes hold their sizes");
            repeat_edge(into, stride, to);
        }
    }
}

/// Scales the part of a plane that has the size `from` to the part of another, whose rows are `stride` apart, that has the
/// size `to`.
fn scale(
    resizer: &mut Resizer,
    plane: Plane<'_>,
    from: Size,
    into: &mut [u8],
    stride: u32,
    to: Size,
) -> Result<(), Box<dyn std::error::Error>> {
    let whole = Size::new(u32::try_from(plane.stride)?, from.height);
    let source = TypedImageRef::<U8>::from_buffer(whole.width, whole.height, plane.samples)?;
    let target = TypedImage::<U8>::from_buffer(stride, to.height, into)?;
    let mut target = TypedCroppedImageMut::new(target, 0, 0, to.width, to.height)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
        0.0,
        0.0,
        from.width.into(),
        from.height.into(),
    );
    resizer.resize_typed(&source, &mut target, &options)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use pf_media::picture::{Bgrx, Size};

    use crate::I420;

    /// A picture whose left half is white and whose right half is black.
    fn halves(size: Size) -> I420 {
        let row = (0..size.width).flat_map(|x| [if x < size.width / 2 { 0xff } else { 0 }; 4]);
        let row: Vec<u8> = row.collect();
        let bytes = row.repeat(size.height as usize);
        let mut picture = I420::new(size);
        picture.fill_from_bgrx(&Bgrx::new(size, row.len(), &bytes).unwrap());
        picture
    }

    fn luma(picture: &I420, x: u32, y: u32) -> u8 {
        let [luma, ..] = picture.view().planes();
        luma.samples[y as usize * luma.stride + x as usize]
    }

    /// What is left and right must stay there, whatever the sizes.
    #[test]
    fn a_smaller_picture_shows_the_same_in_the_same_place() {
        let sizes = [(1920, 1080), (1366, 769), (640, 33), (35, 35)];
        for (width, height) in sizes {
            let whole = halves(Size::new(width, height));
            for (smaller, lower) in
                [(width * 2 / 3, height * 2 / 3), (width / 2, height / 2), (17, 9), (1, 1)]
            {
                let size = Size::new(smaller, lower);
                let mut scaled = I420::new(Size::new(8, 8));
                scaled.fill_scaled(&whole, size);
                assert_eq!(scaled.size(), size);
                if smaller > 16 {
                    for y in [0, lower / 2, lower - 1] {
                        assert_eq!(luma(&scaled, smaller / 4, y), 235, "{width}x{height} to {size}");
                        assert_eq!(luma(&scaled, smaller - smaller / 4, y), 16, "{width}x{height} to {size}");
                    }
                }
            }
        }
    }

    /// The columns and rows that are added to code an odd picture must not be left from another one.
    #[test]
    fn what_is_added_to_an_odd_picture_repeats_its_edge() {
        let whole = halves(Size::new(64, 64));
        let mut scaled = halves(Size::new(64, 64));
        scaled.fill_scaled(&whole, Size::new(33, 17));
        let [coded, ..] = scaled.coded().planes();
        assert_eq!(scaled.coded().size(), Size::new(34, 18));
        for y in 0..18 {
            let row = &coded.samples[y * coded.stride..];
            assert_eq!(row[33], row[32]);
            assert_eq!(row[33], coded.samples[y.min(16) * coded.stride + 32]);
        }
    }

    /// Lines of one pixel that vanish when every second one is left out.
    #[test]
    fn thin_lines_are_blended_and_not_left_out() {
        let size = Size::new(64, 64);
        let row = |y: u32| vec![if y.is_multiple_of(2) { 0xff } else { 0 }; 64 * 4];
        let bytes: Vec<u8> = (0..64).flat_map(row).collect();
        let mut whole = I420::new(size);
        whole.fill_from_bgrx(&Bgrx::new(size, 64 * 4, &bytes).unwrap());
        let mut scaled = I420::new(size);
        scaled.fill_scaled(&whole, Size::new(32, 32));
        for y in 2..30 {
            assert!((100..150).contains(&luma(&scaled, 16, y)), "{}", luma(&scaled, 16, y));
        }
    }
}
