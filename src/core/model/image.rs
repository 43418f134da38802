//! Camera frames and the crops that models look at.

/// Minimum mean luminance of a frame, 0 to 1; in a darker one no face is searched for.
pub const MIN_LUMINANCE: f32 = 0.04;
/// Minimum width and height of a frame, in pixels; in a smaller one no expression can be recognised.
pub const MIN_FRAME_SIDE_PX: u32 = 96;
/// How much of the detector's box is added around the face on each of the four sides, in parts of its longer side.
pub const CROP_MARGIN: f32 = 0.0;

/// A frame of 8-bit RGBA, as a canvas's `getImageData` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 4]`.
    pub rgba: Vec<u8>,
}

/// A face in a frame, in pixels of the frame. It may reach over the frame's edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// The detector's score, 0 to 1.
    pub score: f32,
}

impl Face {
    /// Its middle, in pixels.
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.width / 2.0, self.y + self.height / 2.0]
    }

    /// Its longer side, in pixels.
    pub fn side(&self) -> f32 {
        self.width.max(self.height)
    }

    /// In pixels.
    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    /// Intersection over union.
    pub fn overlap(&self, other: &Self) -> f32 {
        let shared =
            |a: f32, a_length: f32, b: f32, b_length: f32| ((a + a_length).min(b + b_length) - a.max(b)).max(0.0);
        let intersection =
            shared(self.x, self.width, other.x, other.width) * shared(self.y, self.height, other.y, other.height);
        intersection / (self.area() + other.area() - intersection)
    }
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Some side is 0.
    #[error("a frame of {width}×{height} pixels shows nothing")]
    Empty {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// There are more or fewer bytes than pixels need.
    #[error("{found} bytes do not make {width}×{height} pixels of RGBA")]
    Length {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// How many bytes came.
        found: usize,
    },
}

impl Frame {
    /// A frame of `width`×`height` pixels.
    ///
    /// # Errors
    /// [`ImageError::Empty`] or [`ImageError::Length`].
    pub fn new(width: usize, height: usize, rgba: Vec<u8>) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty { width, height });
        }
        let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(4));
        if expected != Some(rgba.len()) {
            return Err(ImageError::Length { width, height, found: rgba.len() });
        }
        Ok(Self { width, height, rgba })
    }

    /// Mean luminance, 0 to 1, of the gamma-coded values with the weights of Rec. 709.
    pub fn mean_luminance(&self) -> f32 {
        let sum: f64 = self
            .rgba
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&[r, g, b, _]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b))
            .sum();
        (sum / (self.width * self.height) as f64 / 255.0) as f32
    }

    /// The square around `face` as `[3, size, size]` RGB in [0, 1].
    ///
    /// The square has the face's centre and its longer side, with `margin` of that side added on each of the four
    /// sides. Bilinear; beyond the frame its edge pixels repeat.
    pub fn square_crop(&self, face: &Face, margin: f32, size: usize) -> Vec<f32> {
        let side = face.side() * (1.0 + 2.0 * margin);
        let step = side / size as f32;
        let columns = taps(face.x + (face.width - side) / 2.0, step, size, self.width);
        let rows = taps(face.y + (face.height - side) / 2.0, step, size, self.height);
        let mut crop = vec![0.0; 3 * size * size];
        self.sample(&columns, &rows, size, &mut crop);
        crop
    }

    /// The whole frame in the upper left of a black square: `[3, size, size]` RGB in [0, 1]. Bilinear.
    pub fn letterbox(&self, size: usize) -> Vec<f32> {
        let step = self.width.max(self.height) as f32 / size as f32;
        let fitted = |length: usize| ((length as f32 / step).round() as usize).clamp(1, size);
        let columns = taps(0.0, step, fitted(self.width), self.width);
        let rows = taps(0.0, step, fitted(self.height), self.height);
        let mut square = vec![0.0; 3 * size * size];
        self.sample(&columns, &rows, size, &mut square);
        square
    }

    /// Writes the pixels at `rows` × `columns` to the upper left of the planes `[3, size, size]`.
    fn sample(&self, columns: &[Tap], rows: &[Tap], size: usize, planes: &mut [f32]) {
        let row_of = |row: usize| &self.rgba[row * self.width * 4..][..self.width * 4];
        for (y, row) in rows.iter().enumerate() {
            let (upper, lower) = (row_of(row.low), row_of(row.high));
            for (x, column) in columns.iter().enumerate() {
                for channel in 0..3 {
                    let across = |line: &[u8]| {
                        let low = f32::from(line[column.low * 4 + channel]);
                        low + (f32::from(line[column.high * 4 + channel]) - low) * column.weight
                    };
                    let above = across(upper);
                    let value = above + (across(lower) - above) * row.weight;
                    planes[(channel * size + y) * size + x] = value / 255.0;
                }
            }
        }
    }
}

/// Two neighbouring pixels of a line and the weight of the second.
struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

/// `count` samples of a line of `length` pixels, `step` pixels apart; the first covers the line from `start` on.
fn taps(start: f32, step: f32, count: usize, length: usize) -> Vec<Tap> {
    let last = (length - 1) as f32;
    (0..count)
        .map(|index| {
            // The centre of pixel 0 is at 0.5.
            let at = (start + (index as f32 + 0.5) * step - 0.5).clamp(0.0, last);
            let low = at as usize;
            Tap { low, high: (low + 1).min(length - 1), weight: at - low as f32 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red grows by 10 from column to column, green by 20 from row to row.
    fn ramp(width: usize, height: usize) -> Frame {
        let rgba = (0..height).flat_map(|y| (0..width).flat_map(move |x| [10 * x as u8, 20 * y as u8, 0, 255]));
        Frame::new(width, height, rgba.collect()).unwrap()
    }

    #[test]
    fn refuses_wrong_sizes() {
        assert_eq!(Frame::new(0, 4, vec![]), Err(ImageError::Empty { width: 0, height: 4 }));
        let error = Frame::new(2, 2, vec![0; 15]).unwrap_err();
        assert_eq!(error, ImageError::Length { width: 2, height: 2, found: 15 });
        assert!(Frame::new(usize::MAX, 2, vec![0; 15]).is_err());
    }

    #[test]
    fn luminance_of_white_is_one() {
        assert!((Frame::new(1, 2, vec![255; 8]).unwrap().mean_luminance() - 1.0).abs() < 1e-6);
        assert!((Frame::new(1, 1, vec![0, 255, 0, 255]).unwrap().mean_luminance() - 0.7152).abs() < 1e-6);
    }

    #[test]
    fn a_crop_of_the_same_size_copies_and_repeats_the_edge() {
        let face = Face { x: 1.0, y: 0.0, width: 3.0, height: 3.0, score: 1.0 };
        let crop = ramp(3, 3).square_crop(&face, 0.0, 3);
        let red = [10.0, 20.0, 20.0].map(|v: f32| v / 255.0);
        assert_eq!(&crop[..3], &red);
        assert_eq!(&crop[9..12], &[0.0; 3]);
        assert!((crop[15] - 40.0 / 255.0).abs() < 1e-6, "green of the last row");
    }

    #[test]
    fn halving_averages_pairs_and_margins_widen() {
        let face = Face { x: 0.0, y: 0.0, width: 4.0, height: 2.0, score: 1.0 };
        let crop = ramp(4, 4).square_crop(&face, 0.0, 2);
        assert!((crop[0] - 5.0 / 255.0).abs() < 1e-6 && (crop[1] - 25.0 / 255.0).abs() < 1e-6);
        let inner = Face { x: 1.0, y: 1.0, width: 2.0, height: 2.0, score: 1.0 };
        let whole = Face { x: 0.0, y: 0.0, width: 4.0, height: 4.0, score: 1.0 };
        assert_eq!(ramp(4, 4).square_crop(&inner, 0.5, 4), ramp(4, 4).square_crop(&whole, 0.0, 4));
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        let face = |x: f32| Face { x, y: 0.0, width: 10.0, height: 10.0, score: 1.0 };
        assert!((face(0.0).overlap(&face(5.0)) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(face(0.0).overlap(&face(20.0)), 0.0);
    }

    #[test]
    fn a_letterbox_is_black_beside_the_frame() {
        let square = Frame::new(4, 2, vec![255; 32]).unwrap().letterbox(4);
        for plane in square.as_chunks::<16>().0 {
            assert_eq!(plane[..8], [1.0; 8]);
            assert_eq!(plane[8..], [0.0; 8]);
        }
    }
}
