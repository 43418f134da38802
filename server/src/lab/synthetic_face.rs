//! Drawn faces: not to learn expressions from, but to measure in what range a backbone's features lie when it looks at
//! something like a face.

use emofed::random::SplitMix64;

/// Draws a face as RGB in [0, 1], `[3, size, size]`, with random skin, light, pose and mouth.
pub fn draw(random: &mut SplitMix64, size: usize) -> Vec<f32> {
    let mut uniform = |low: f32, high: f32| low + random.unit() * (high - low);
    let skin = [uniform(0.35, 0.95), uniform(0.25, 0.75), uniform(0.2, 0.65)];
    let background: [f32; 3] = std::array::from_fn(|_| uniform(0.05, 0.8));
    let hair: [f32; 3] = std::array::from_fn(|_| uniform(0.02, 0.45));
    let (shift_x, shift_y, tilt) = (uniform(-0.08, 0.08), uniform(-0.06, 0.06), uniform(-0.2, 0.2));
    let (smile, open, brow, eye) =
        (uniform(-0.12, 0.15), uniform(0.0, 0.1), uniform(-0.05, 0.04), uniform(0.015, 0.05));
    let (light, light_angle) = (uniform(0.0, 0.35), uniform(0.0, std::f32::consts::TAU));
    let exposure = uniform(0.7, 1.15);

    let mut image = vec![0.0; 3 * size * size];
    for row in 0..size {
        for column in 0..size {
            let (u, v) = ((column as f32 + 0.5) / size as f32 - 0.5, (row as f32 + 0.5) / size as f32 - 0.5);
            let (x, y) = (u - shift_x, v - shift_y);
            let (x, y) = (x * tilt.cos() + y * tilt.sin(), y * tilt.cos() - x * tilt.sin());
            let inside = |cx: f32, cy: f32, rx: f32, ry: f32| ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2) < 1.0;
            let mouth_y = 0.2 - smile * (1.0 - (x / 0.16).powi(2));
            let color = if x.abs() < 0.16 && (y - 0.2 + smile * 0.5 - (mouth_y - 0.2)).abs() < 0.015 + open {
                if open > 0.04 && (y - mouth_y).abs() < open * 0.6 { [0.93, 0.92, 0.9] } else { [0.6, 0.2, 0.22] }
            } else if inside(-0.16, -0.08, 0.022, eye) || inside(0.16, -0.08, 0.022, eye) {
                [0.08, 0.06, 0.05]
            } else if inside(-0.16, -0.08, 0.07, eye) || inside(0.16, -0.08, 0.07, eye) {
                [0.92, 0.92, 0.92]
            } else if (y + 0.17 + brow * (x.abs() - 0.1) * 8.0).abs() < 0.016 && (0.08..0.25).contains(&x.abs()) {
                hair
            } else if inside(0.0, 0.07, 0.05, 0.05) {
                skin.map(|channel| channel * 0.88)
            } else if inside(0.0, 0.03, 0.38, 0.5) {
                if y < -0.3 { hair } else { skin }
            } else {
                background
            };
            let shade = exposure * (1.0 + light * (u * light_angle.cos() + v * light_angle.sin()) * 2.0);
            for (channel, value) in color.into_iter().enumerate() {
                let noise = 0.02 * random.signed();
                image[(channel * size + row) * size + column] = (value * shade + noise).clamp(0.0, 1.0);
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_differ_and_are_in_range() {
        let mut random = SplitMix64::new(5);
        let (first, second) = (draw(&mut random, 64), draw(&mut random, 64));
        assert_eq!(first.len(), 3 * 64 * 64);
        assert!(first.iter().all(|value| (0.0..=1.0).contains(value)));
        let difference: f32 = first.iter().zip(&second).map(|(a, b)| (a - b).abs()).sum::<f32>() / first.len() as f32;
        assert!(difference > 0.02, "{difference}");
    }
}
