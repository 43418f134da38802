//! Bad clips are diagnostics, and the rest goes on.

use std::collections::BTreeMap;

use emofed_server::lab::LabError;
use emofed_server::lab::cache;
use emofed_server::lab::datasets::csv_list;
use emofed_server::lab::diagnostic::DiagnosticKind;

use super::support::{SETTINGS, film, path_from_env, portrait, run};

const HEADER: &str = "clip,subject,sex,split,anger,disgust,fear,happiness,neutral,sadness\n";

#[test]
fn every_bad_clip_is_a_diagnostic_of_its_kind() {
    use DiagnosticKind as Kind;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    portrait(&at("good.png"), 100, 0, 320);
    portrait(&at("small.png"), 100, 0, 60);
    std::fs::write(at("empty.mp4"), "").unwrap();
    std::fs::write(at("noise.mp4"), [7; 5_000]).unwrap();
    let video = std::fs::read(path_from_env("EMOFED_CREMA_D").join("1001_DFA_HAP_XX.flv")).unwrap();
    std::fs::write(at("header.flv"), &video[..200]).unwrap();
    film(&["-f", "lavfi", "-i", "testsrc=duration=1:size=320x240:rate=10", "-c:v", "mpeg4"], &at("bars.mp4"));
    film(&["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "pcm_s16le"], &at("sound.avi"));
    std::fs::write(at("playlist.avi"), "#EXTM3U\nhttp://127.0.0.1:9/a.ts\n").unwrap();
    let png = std::fs::read(at("good.png")).unwrap();
    std::fs::write(at("cut.png"), &png[..png.len() / 2]).unwrap();
    std::fs::write(at("words.png"), "no picture").unwrap();
    std::fs::write(at("notes.txt"), "").unwrap();
    std::fs::create_dir(at("nothing")).unwrap();
    std::fs::create_dir(at("dark")).unwrap();
    image::RgbImage::new(320, 240).save(at("dark/1.png")).unwrap();

    let rows = [
        ("good.png,a,f,train,0,0,0,5,0,0", None),
        ("good.png,a,f,train,0,0,0,5,0,0", Some(Kind::Duplicate)),
        ("small.png,b,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("empty.mp4,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("noise.mp4,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("header.flv,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("bars.mp4,c,,,0,0,0,5,0,0", Some(Kind::NoFace)),
        ("sound.avi,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("playlist.avi,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("cut.png,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("words.png,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("notes.txt,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("nothing,c,,,0,0,0,5,0,0", Some(Kind::Unreadable)),
        ("dark,c,,,0,0,0,5,0,0", Some(Kind::NoFace)),
        ("gone.mp4,c,,,0,0,0,5,0,0", Some(Kind::MissingFile)),
        (",c,,,0,0,0,5,0,0", Some(Kind::MissingFile)),
        ("v1,c,,,0,0,0,0,0,0", Some(Kind::NoVotes)),
        ("v2,c,,,0,0,0,-1,0,0", Some(Kind::NoVotes)),
        ("v3,c,,,0,0,0,many,0,0", Some(Kind::NoVotes)),
        ("v4,c,,,0,0,0,99999999999,0,0", Some(Kind::NoVotes)),
        ("s1,,,,0,0,0,5,0,0", Some(Kind::Contradiction)),
        ("s2,d,robot,,0,0,0,5,0,0", Some(Kind::Contradiction)),
        ("s3,d,,holdout,0,0,0,5,0,0", Some(Kind::Contradiction)),
        ("s4,a,f,test,0,0,0,5,0,0", Some(Kind::Contradiction)),
        ("s5,a,m,train,0,0,0,5,0,0", Some(Kind::Contradiction)),
    ];
    let list: String = rows.iter().map(|(row, _)| format!("{row}\n")).collect();
    std::fs::write(at("clips.csv"), format!("{HEADER}{list}")).unwrap();
    let path = at("cache");
    let counts = run(&csv_list::list(&at("clips.csv"), None).unwrap(), &SETTINGS, &path).unwrap();
    let mut expected = BTreeMap::new();
    for kind in rows.iter().filter_map(|(_, kind)| *kind) {
        *expected.entry(kind).or_default() += 1;
    }
    let contents = cache::read(&path).unwrap();
    assert_eq!(counts.diagnostics, expected, "{:#?}", contents.diagnostics);
    assert_eq!((counts.clips, counts.frames), (1, 1));
    assert!(contents.diagnostics.iter().all(|diagnostic| !diagnostic.message.is_empty()));
}

#[test]
fn a_list_of_something_else_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.csv");
    let refused = |content: &[u8], words: &str| {
        std::fs::write(&file, content).unwrap();
        let error = csv_list::list(&file, None).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(HEADER.replace("fear", "surprise").as_bytes(), "`surprise`");
    refused(HEADER.replace(",neutral", "").as_bytes(), "neutral");
    refused(b"clip,A,D,F,H,N,S\n", "`A`");
    refused(format!("{HEADER}a,b\n").as_bytes(), "line 2");
    refused(&[HEADER.as_bytes(), b"a\xff,b,,,1,0,0,0,0,0\n"].concat(), "UTF-8");
    refused(b"", "clip");
    std::fs::write(folder.path().join("other.csv"), HEADER).unwrap();
    assert!(matches!(csv_list::list(folder.path(), None), Err(LabError::Missing { .. })));
    // Any order, a mark of UTF-8, and no columns for what may be empty.
    std::fs::write(&file, "\u{feff}subject,clip,neutral,anger,disgust,fear,happiness,sadness\n").unwrap();
    assert!(csv_list::list(&file, None).unwrap().entries.is_empty());
}
