//! How steadily a face is followed, beside the largest box of each frame by itself: on six videos of CREMA-D, on their
//! middle frames filmed, whose faces do not change, and on the portrait filmed from near and far.

use std::time::{Duration, Instant};

use emofed::emotion::{EMOTIONS, Emotion};
use emofed::learning::{LearningSettings, QualityRejection, quality_rejection};
use emofed::model::detector::{InputSize, MINIMUM_SCORE};
use emofed::model::{Backbone, CROP_MARGIN, Device, Face, FaceQuality, FaceTrack, Frame, ProbabilitySmoother};
use emofed_server::lab::media::still_renderer::StillRenderer;
use emofed_server::lab::media::video;
use futures::executor::block_on;

use super::support::{fixture, models, path_from_env};

const FRAMES_PER_SECOND: f64 = 10.0;
/// The portrait's face fills so much of the picture's width, as the widths of what is seen in the portrait's pixels say: from
/// six tenths to a twelfth.
const SPANS: [f32; 8] = [150.0, 200.0, 300.0, 450.0, 600.0, 750.0, 900.0, 1_100.0];
/// Middle of the portrait's face, in its pixels.
const FACE: [f32; 2] = [225.0, 118.0];
/// Frames of a clip that is rendered from a still.
const RENDERED: usize = 40;

/// Frames that show one face.
struct Film {
    name: String,
    frames: Vec<Frame>,
}

impl Film {
    fn of_still(still: Frame, name: String) -> Self {
        Self { frames: StillRenderer::new(still, RENDERED, &name, 1).collect(), name }
    }

    /// The portrait as a camera of 640×480 pixels sees it, of which it sees `span` pixels in a row.
    fn of_portrait(span: f32) -> Self {
        const SIDE: usize = 640;
        let picture = image::open(fixture("astronaut.png")).unwrap().to_rgba8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let portrait = Frame::new(width, height, picture.into_raw()).unwrap();
        let [x, y] = FACE.map(|middle| middle - span / 2.0);
        let seen = portrait.square_crop(&Face { x, y, width: span, height: span, score: 1.0 }, 0.0, SIDE);
        let plane = SIDE * SIDE;
        let pixel = |at: usize| [0, 1, 2].map(|channel: usize| (255.0_f32 * seen[channel * plane + at]).round() as u8);
        let rgba = (80 * SIDE..560 * SIDE).flat_map(|at| {
            let [r, g, b] = pixel(at);
            [r, g, b, 255]
        });
        let still = Frame::new(SIDE, 480, rgba.collect()).unwrap();
        Self::of_still(still, format!("portrait, {span} pixels"))
    }
}

/// The six videos, in the order of [`Emotion::ALL`].
fn videos() -> Vec<Film> {
    let folder = path_from_env("EMOFED_CREMA_D");
    let film = |emotion: &str| {
        let name = format!("1001_DFA_{emotion}_XX.flv");
        let frames = video::frames(&folder.join(&name), FRAMES_PER_SECOND).unwrap();
        Film { frames: frames.collect::<Result<_, _>>().unwrap(), name }
    };
    ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"].map(film).into()
}

/// What a way to find faces gives.
#[derive(Default)]
struct Figures {
    frames: usize,
    found: usize,
    /// Change of the crop's side between successive frames, in parts.
    side_changes: Vec<f32>,
    /// How often the image head names another emotion than in the frame before.
    flips: usize,
    /// The same of what is shown.
    shown_flips: usize,
    pairs: usize,
    finding: Duration,
    /// Sum of the probabilities.
    sum: [f32; EMOTIONS],
}

impl Figures {
    fn of(film: &Film, backbone: &Backbone, mut find: impl FnMut(&Frame, f64) -> Option<Face>) -> Self {
        let mut figures = Self { frames: film.frames.len(), ..Self::default() };
        let mut last: Option<(f32, [usize; 2])> = None;
        let mut smoother = ProbabilitySmoother::default();
        for (index, frame) in film.frames.iter().enumerate() {
            let started = Instant::now();
            let at_ms = index as f64 * 1_000.0 / FRAMES_PER_SECOND;
            let face = find(frame, at_ms);
            figures.finding += started.elapsed();
            let this = face.map(|face| {
                let crop = frame.square_crop(&face, CROP_MARGIN, backbone.input_size());
                let probabilities = block_on(backbone.extract(&crop)).unwrap().probabilities[0];
                figures.sum.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
                (face.side(), [largest(&probabilities), largest(&smoother.push(1, at_ms, &probabilities))])
            });
            figures.found += usize::from(this.is_some());
            if let (Some((side_before, [label_before, shown_before])), Some((side, [label, shown]))) = (last, this) {
                figures.pairs += 1;
                figures.side_changes.push((side / side_before - 1.0).abs());
                figures.flips += usize::from(label != label_before);
                figures.shown_flips += usize::from(shown != shown_before);
            }
            last = this;
        }
        figures
    }

    fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.found += other.found;
        self.side_changes.extend(other.side_changes);
        self.flips += other.flips;
        self.shown_flips += other.shown_flips;
        self.pairs += other.pairs;
        self.finding += other.finding;
    }

    fn found_share(&self) -> f64 {
        self.found as f64 / self.frames as f64
    }

    fn flip_share(&self) -> f64 {
        self.flips as f64 / self.pairs as f64
    }

    fn shown_flip_share(&self) -> f64 {
        self.shown_flips as f64 / self.pairs as f64
    }

    fn frame_ms(&self) -> f64 {
        self.finding.as_secs_f64() * 1_000.0 / self.frames as f64
    }

    /// 95 % of the changes of side are smaller.
    fn side_change_p95(&self) -> f32 {
        let mut changes = self.side_changes.clone();
        changes.sort_by(f32::total_cmp);
        changes[changes.len() * 95 / 100]
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: found in {:.3} of {} frames, side changes p95 {:.3}, label flips {:.3}, of what is shown {:.3}, {:.2} ms a frame",
            self.found_share(),
            self.frames,
            self.side_change_p95(),
            self.flip_share(),
            self.shown_flip_share(),
            self.frame_ms()
        );
    }
}

fn largest(values: &[f32; EMOTIONS]) -> usize {
    (0..EMOTIONS).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap()
}

#[test]
fn a_followed_face_is_found_and_steady() {
    let detector = models().load_detector().unwrap();
    let backbone = models().load_backbone(&Device::Cpu).unwrap();
    let alone = |frame: &Frame, _| detector.detect(frame, InputSize::Middle, MINIMUM_SCORE).unwrap().first().copied();
    let videos = videos();
    let middle = |film: &Film| {
        Film::of_still(film.frames[film.frames.len() / 2].clone(), format!("{}, its middle filmed", film.name))
    };
    let stills: Vec<Film> = videos.iter().map(middle).collect();
    let portraits: Vec<Film> = SPANS.map(Film::of_portrait).into();
    let mut all = [Figures::default(), Figures::default()];
    let mut named = [0, 0];
    for (set, films) in [("six videos", &videos), ("their middle frames, filmed", &stills), ("portrait", &portraits)] {
        let mut sums = [Figures::default(), Figures::default()];
        for (index, film) in films.iter().enumerate() {
            let mut track = FaceTrack::default();
            let followed =
                |frame: &Frame, at_ms| track.update(&detector, frame, at_ms).unwrap().face.map(|face| face.square);
            let figures = [Figures::of(film, &backbone, alone), Figures::of(film, &backbone, followed)];
            assert!(figures[1].found_share() >= 0.95, "{}: found in {:.3}", film.name, figures[1].found_share());
            for ((sum, named), figures) in sums.iter_mut().zip(&mut named).zip(figures) {
                let acted = set == "six videos" && largest(&figures.sum) == Emotion::ALL[index].index();
                *named += usize::from(acted);
                sum.add(figures);
            }
        }
        for ((sum, all), what) in sums.into_iter().zip(&mut all).zip(["alone", "followed"]) {
            sum.print(&format!("{set}, {what}"));
            all.add(sum);
        }
    }
    let [alone, followed] = all;
    println!("named as acted, of six: {} alone, {} followed", named[0], named[1]);
    assert!(alone.found_share() < 0.95 && alone.side_change_p95() > 0.05, "there is something to gain");
    assert!(followed.side_change_p95() <= 0.05, "the side changes by {}", followed.side_change_p95());
    assert!(followed.flip_share() <= 0.9 * alone.flip_share(), "flips: {}", followed.flip_share());
    assert!(followed.shown_flip_share() <= 0.5 * alone.flip_share(), "flips shown: {}", followed.shown_flip_share());
    assert!(named[1] >= named[0], "{} named instead of {}", named[1], named[0]);
    assert!(followed.finding <= alone.finding.mul_f64(1.3), "{:?} instead of {:?}", followed.finding, alone.finding);
}

/// `frame` out of focus: each pixel the mean of the square of `2 * radius + 1` pixels around it, twice.
fn out_of_focus(frame: &Frame, radius: usize) -> Frame {
    let blurred = |rgba: &[u8]| {
        let clamped = |at: usize, by: usize, limit: usize| (at + by).saturating_sub(radius).min(limit - 1);
        let lines = |rgba: &[u8], is_row: bool| -> Vec<u8> {
            let pixels = (0..frame.height).flat_map(|y| (0..frame.width).map(move |x| (x, y)));
            let window = 2 * radius + 1;
            let mean = |(x, y): (usize, usize), channel: usize| {
                let sum: usize = (0..window)
                    .map(|by| match is_row {
                        true => y * frame.width + clamped(x, by, frame.width),
                        false => clamped(y, by, frame.height) * frame.width + x,
                    })
                    .map(|pixel| usize::from(rgba[4 * pixel + channel]))
                    .sum();
                (sum / window) as u8
            };
            pixels.flat_map(|pixel| [0, 1, 2, 3].map(|channel| mean(pixel, channel))).collect()
        };
        lines(&lines(rgba, true), false)
    };
    Frame::new(frame.width, frame.height, blurred(&blurred(&frame.rgba))).unwrap()
}

#[test]
fn the_default_quality_gate_passes_real_faces_and_stops_those_out_of_focus() {
    let detector = models().load_detector().unwrap();
    let settings = LearningSettings::default();
    let portraits = SPANS.map(Film::of_portrait);
    for film in videos().iter().chain(&portraits) {
        let mut track = FaceTrack::default();
        let (mut tracked, mut rejected, mut sharpness) = (0, Vec::new(), Vec::new());
        for (index, frame) in film.frames.iter().enumerate() {
            let Some(face) = track.update(&detector, frame, index as f64 * 100.0).unwrap().face else { continue };
            let quality = FaceQuality::measure(frame, &face.detection);
            tracked += 1;
            sharpness.push(quality.sharpness);
            rejected.extend(quality_rejection(&quality, &settings).map(|rejection| (rejection, quality)));
            if index == 0 {
                // Out of focus by a fifth of the face, however large it is.
                let radius = (face.detection.side() / 10.0) as usize;
                let soft = FaceQuality::measure(&out_of_focus(frame, radius), &face.detection);
                println!("{}: {quality:?}, out of focus {:.1}", film.name, soft.sharpness);
                assert_eq!(
                    quality_rejection(&soft, &settings),
                    Some(QualityRejection::Blurred),
                    "{}: {soft:?}",
                    film.name
                );
            }
        }
        sharpness.sort_by(f64::total_cmp);
        println!("{}: sharpness from {:.1} to {:.1}", film.name, sharpness[0], sharpness[sharpness.len() - 1]);
        assert!(tracked > 0 && rejected.is_empty(), "{}: {rejected:?} of {tracked}", film.name);
    }
}
