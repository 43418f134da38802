//! Stills, short sequences and long videos.

use std::path::Path;

use emofed::emotion::Emotion;
use emofed_server::lab::cache::record::Counts;
use emofed_server::lab::dataset::Dataset;
use emofed_server::lab::datasets::csv_list;
use emofed_server::lab::extract::Settings;
use emofed_server::lab::media::Sampling;

use super::support::{SETTINGS, film, fixture, portrait, run};

/// Extracts one clip, on which everybody saw happiness.
fn one(folder: &Path, clip: &str, film_seconds: f64, seed: u64) -> (Counts, Vec<u8>) {
    let rows = format!("clip,subject,anger,disgust,fear,happiness,neutral,sadness\n{clip},her,0,0,0,9,0,0\n");
    std::fs::write(folder.join("clips.csv"), rows).unwrap();
    let sampling = Sampling { film_seconds, seed, ..SETTINGS.sampling };
    let path = folder.join("cache");
    let _ = std::fs::remove_file(&path);
    let list = csv_list::list(&folder.join("clips.csv"), None).unwrap();
    let counts = run(&list, &Settings { sampling, ..SETTINGS }, &path).unwrap();
    let dataset = Dataset::read(&path).unwrap();
    let happiness = dataset.clips[0].mean_probabilities()[Emotion::Happiness.index()];
    assert!(happiness > 0.8, "{clip}: happiness {happiness}");
    (counts, std::fs::read(&path).unwrap())
}

#[test]
fn a_still_is_one_frame_or_a_rendered_clip() {
    let folder = tempfile::tempdir().unwrap();
    portrait(&folder.path().join("her.png"), 60, 0, 400);
    assert_eq!(one(folder.path(), "her.png", 0.0, 1).0.frames, 1);
    let (counts, bytes) = one(folder.path(), "her.png", 3.0, 1);
    assert_eq!(counts.frames, 30);
    assert!(bytes == one(folder.path(), "her.png", 3.0, 1).1, "rendering is deterministic");
    assert!(bytes != one(folder.path(), "her.png", 3.0, 2).1, "the seed matters");
    let clip = &Dataset::read(&folder.path().join("cache")).unwrap().clips[0];
    let frames: Vec<&[f32]> = clip.features.chunks(clip.features.len() / 30).collect();
    assert!(frames.windows(2).all(|pair| pair[0] != pair[1]), "the camera moves");
}

#[test]
fn a_folder_of_three_pictures_is_three_frames() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("three")).unwrap();
    for index in 0..3 {
        portrait(&folder.path().join(format!("three/{index}.png")), 60 + 5 * index, 0, 400);
    }
    std::fs::write(folder.path().join("three/notes.txt"), "").unwrap();
    assert_eq!(one(folder.path(), "three", 3.0, 1).0.frames, 3);
}

#[test]
fn a_minute_of_video_is_six_hundred_frames() {
    let folder = tempfile::tempdir().unwrap();
    let still = fixture("astronaut.png");
    let still = still.to_str().unwrap();
    film(
        &["-loop", "1", "-framerate", "25", "-t", "60", "-i", still, "-c:v", "mpeg4", "-q:v", "4"],
        &folder.path().join("minute.mp4"),
    );
    let (counts, _) = one(folder.path(), "minute.mp4", 3.0, 1);
    assert!((598..=602).contains(&counts.frames), "{} frames", counts.frames);
}

#[test]
fn a_large_photo_is_shrunk_and_a_turned_one_is_righted() {
    let folder = tempfile::tempdir().unwrap();
    let photo = image::open(fixture("astronaut.png")).unwrap();
    photo
        .resize_exact(3_000, 3_000, image::imageops::FilterType::Triangle)
        .to_rgb8()
        .save(folder.path().join("large.jpg"))
        .unwrap();
    assert_eq!(one(folder.path(), "large.jpg", 0.0, 1).0.frames, 1);

    // A telephone held upright writes a picture on its side, and says so in EXIF: tag 0x0112, a short, 6.
    let turned = folder.path().join("turned.jpg");
    photo.rotate270().to_rgb8().save(&turned).unwrap();
    let jpeg = std::fs::read(&turned).unwrap();
    let exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    std::fs::write(&turned, [&jpeg[..2], exif, &jpeg[2..]].concat()).unwrap();
    assert_eq!(one(folder.path(), "turned.jpg", 0.0, 1).0.frames, 1);
}
