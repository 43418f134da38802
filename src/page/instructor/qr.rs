//! The QR code of a link, as the outline of its dark modules. No document here.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// Width of the light margin that scanners need, in modules.
const QUIET_ZONE: i32 = 4;

/// A QR code as vectors.
pub struct QrImage {
    /// Width and height with the margin, in modules.
    pub size: i32,
    /// The dark modules, for the `d` of an SVG path.
    pub path: String,
}

/// The QR code of `text`; `None` if it is too long for one.
pub fn image(text: &str) -> Option<QrImage> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|x| code.get_module(*x, y)).count() as i32;
            if run > 0 {
                // Writing into a string does not fail.
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET_ZONE, y + QUIET_ZONE);
            }
            x += run.max(1);
        }
    }
    Some(QrImage { size: code.size() + 2 * QUIET_ZONE, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_code_within_its_margin() {
        let link = "https://class.example/#join=ABCD-EFGH";
        let code = QrCode::encode_text(link, QrCodeEcc::Medium).unwrap();
        let image = image(link).unwrap();
        assert_eq!(image.size, code.size() + 8);
        let mut dark = vec![vec![false; image.size as usize]; image.size as usize];
        for run in image.path.split('M').skip(1) {
            let (x, rest) = run.split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let length: usize = rest.split_once('v').unwrap().0.parse().unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            dark[y][x..x + length].fill(true);
        }
        for (y, row) in (0_i32..).zip(&dark) {
            for (x, is_dark) in (0_i32..).zip(row) {
                // Outside of the code there is no dark module.
                assert_eq!(*is_dark, code.get_module(x - 4, y - 4), "{x}, {y}");
            }
        }
        assert!(super::image(&"x".repeat(5_000)).is_none());
    }
}
