//! Camera films: short y4m files that Chromium plays in a loop in place of a camera.
//!
//! All of them are made from one portrait (`fixtures/astronaut.png`, a smiling face) by panning, zooming and changing
//! the light, so that a real face moves through a real capture pipeline.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Middle of the portrait's face, in its pixels.
const FACE: (f64, f64) = (225.0, 118.0);

/// What the camera sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Film {
    /// The portrait, moving; another movement, light and side for each seed.
    Portrait(u64),
    /// A portrait whose pictures come faster than models run on most machines: to measure how many they manage.
    Quick,
    /// A part of the picture without a face.
    NoFace,
    /// Nothing: the lens is covered.
    Black,
    /// The portrait twice: large in the left half, small in the right.
    TwoFaces,
    /// 64×48 pixels.
    Tiny,
}

impl Film {
    /// Width and height in pixels.
    pub fn size(self) -> (usize, usize) {
        if self == Self::Tiny { (64, 48) } else { (640, 480) }
    }

    fn frames_per_second(self) -> usize {
        if self == Self::Quick { 100 } else { 10 }
    }

    /// How many there are before it begins again.
    fn frames(self) -> usize {
        let seconds = if self == Self::Quick { 2 } else { 6 };
        seconds * self.frames_per_second()
    }

    /// Writes the film as y4m (C420jpeg) to `path`.
    ///
    /// # Errors
    /// The portrait cannot be read, or `path` not written.
    pub fn write(self, path: &Path) -> io::Result<()> {
        let portrait = Portrait::load()?;
        let (width, height) = self.size();
        let mut file = BufWriter::new(File::create(path)?);
        let frames_per_second = self.frames_per_second();
        writeln!(file, "YUV4MPEG2 W{width} H{height} F{frames_per_second}:1 Ip A1:1 C420jpeg")?;
        let frames = self.frames();
        for index in 0..frames {
            let time = index as f64 / frames as f64;
            let rgb: Vec<[f64; 3]> = (0..width * height)
                .map(|at| self.pixel(&portrait, time, (at % width) as f64, (at / width) as f64))
                .collect();
            file.write_all(b"FRAME\n")?;
            file.write_all(&yuv420(&rgb, width, height))?;
        }
        file.flush()
    }

    /// Colour at (`x`, `y`) when the film is at `time`, from 0 to 1.
    fn pixel(self, portrait: &Portrait, time: f64, x: f64, y: f64) -> [f64; 3] {
        let (width, height) = self.size();
        let (width, height) = (width as f64, height as f64);
        match self {
            Self::Black => [0.0; 3],
            Self::Quick => Self::Portrait(1).pixel(portrait, time, x, y),
            Self::Portrait(seed) => {
                let view = View::wandering(seed, time);
                let x = if seed % 2 == 1 { width - 1.0 - x } else { x };
                view.look(portrait, x / width - 0.5, (y - height / 2.0) / width)
            }
            // The lower left of the picture: sleeve and flag.
            Self::NoFace => {
                let view = View { centre: (110.0 + 20.0 * (TAU * time).sin(), 400.0), span: 200.0, light: 1.0 };
                view.look(portrait, x / width - 0.5, (y - height / 2.0) / width)
            }
            Self::TwoFaces => {
                let sway = 6.0 * (TAU * time).sin();
                let (middle, span) = if x < 0.6 * width { (0.3, 300.0) } else { (0.8, 560.0) };
                let view = View { centre: (FACE.0 + sway, FACE.1), span, light: 1.0 };
                view.look(portrait, x / width - middle, (y - height / 2.0) / width)
            }
            Self::Tiny => {
                let view = View { centre: FACE, span: 260.0, light: 1.0 };
                view.look(portrait, x / width - 0.5, (y - height / 2.0) / width)
            }
        }
    }
}

/// Where the film looks at the portrait.
struct View {
    /// Middle, in the portrait's pixels.
    centre: (f64, f64),
    /// How many of the portrait's pixels the film is wide.
    span: f64,
    /// Factor on brightness.
    light: f64,
}

impl View {
    /// The view at `time` (0 to 1, the end joining the beginning) of a film that differs by `seed`.
    fn wandering(seed: u64, time: f64) -> Self {
        let [pan, zoom, light] = [1, 2, 3].map(|salt| (TAU * (time + unit(seed, salt))).sin());
        Self {
            centre: (FACE.0 + 22.0 * pan, FACE.1 + 8.0 + 10.0 * zoom),
            span: 300.0 + 60.0 * unit(seed, 4) + 25.0 * zoom,
            light: 0.95 + 0.1 * unit(seed, 5) + 0.1 * light,
        }
    }

    /// Colour at an offset from the middle, in widths of the film.
    fn look(&self, portrait: &Portrait, right: f64, down: f64) -> [f64; 3] {
        let colour = portrait.sample(self.centre.0 + right * self.span, self.centre.1 + down * self.span);
        colour.map(|value| (value * self.light).min(255.0))
    }
}

/// A number from 0 to 1 that depends on nothing but its arguments (the finaliser of splitmix64).
fn unit(seed: u64, salt: u64) -> f64 {
    let mut z = seed.wrapping_mul(31).wrapping_add(salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

struct Portrait {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Portrait {
    fn load() -> io::Result<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/astronaut.png");
        let mut reader = png::Decoder::new(io::BufReader::new(File::open(path)?)).read_info()?;
        let mut rgb = vec![0; reader.output_buffer_size().expect("the fixture fits into memory")];
        let info = reader.next_frame(&mut rgb)?;
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight), "{path}");
        Ok(Self { width: info.width as usize, height: info.height as usize, rgb })
    }

    /// Bilinear, repeating the edge outside.
    fn sample(&self, x: f64, y: f64) -> [f64; 3] {
        let (x, y) = (x.clamp(0.0, (self.width - 1) as f64), y.clamp(0.0, (self.height - 1) as f64));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (fx, fy) = (x - left as f64, y - top as f64);
        let at = |column: usize, row: usize, channel| f64::from(self.rgb[(row * self.width + column) * 3 + channel]);
        [0, 1, 2].map(|channel| {
            let above = at(left, top, channel) * (1.0 - fx) + at(right, top, channel) * fx;
            let below = at(left, bottom, channel) * (1.0 - fx) + at(right, bottom, channel) * fx;
            above * (1.0 - fy) + below * fy
        })
    }
}

/// Planar 4:2:0 of 8 bits (BT.601, studio range, as cameras and Chromium have it).
fn yuv420(rgb: &[[f64; 3]], width: usize, height: usize) -> Vec<u8> {
    let luma = rgb.iter().map(|[r, g, b]| (16.0 + 0.257 * r + 0.504 * g + 0.098 * b).round() as u8);
    let blocks = (0..height / 2).flat_map(|row| (0..width / 2).map(move |column| (2 * row, 2 * column)));
    let chroma = |weights: [f64; 3]| {
        blocks.clone().map(move |(row, column)| {
            let places = [(row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1)];
            let sum: f64 = places
                .iter()
                .flat_map(|(row, column)| rgb[row * width + column].iter().zip(weights))
                .map(|(value, weight)| value * weight)
                .sum();
            (128.0 + sum / 4.0).round() as u8
        })
    };
    luma.chain(chroma([-0.148, -0.291, 0.439])).chain(chroma([0.439, -0.368, -0.071])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(film: Film) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.y4m");
        film.write(&path).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn has_the_length_that_its_header_says() {
        let bytes = film(Film::Tiny);
        let header = b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n";
        assert!(bytes.starts_with(header));
        assert_eq!(bytes.len(), header.len() + Film::Tiny.frames() * (b"FRAME\n".len() + 64 * 48 * 3 / 2));
    }

    #[test]
    fn every_seed_is_another_film_and_the_same_each_time() {
        let portrait = Portrait::load().unwrap();
        let look = |seed| Film::Portrait(seed).pixel(&portrait, 0.3, 300.0, 200.0);
        assert_eq!(look(1), look(1));
        assert_ne!(look(1), look(2));
        assert_ne!(look(1), look(3));
    }

    #[test]
    fn grey_becomes_grey() {
        let yuv = yuv420(&[[128.0; 3]; 4], 2, 2);
        assert_eq!(yuv, [126, 126, 126, 126, 128, 128]);
        assert_eq!(yuv420(&[[0.0; 3]; 4], 2, 2), [16, 16, 16, 16, 128, 128]);
    }
}
