//! Videos as frames, by ffmpeg in a process of its own.
//!
//! ffmpeg writes a stream of PPM pictures: each carries its size, so that nobody has to ask for it before, and ffmpeg
//! turns and shrinks as it knows best.

use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use emofed::model::Frame;

use super::{MAX_WIDTH, MediaError};

/// ffmpeg is stopped if no frame comes for so long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Frames decoded ahead.
const AHEAD: usize = 2;
/// More pixels than this are no frame of ours.
const MAX_PIXELS: usize = 16 << 20;
/// How much of what ffmpeg complains of is kept, in bytes.
const KEPT_WORDS: usize = 4_096;

/// Whether ffmpeg can be started.
///
/// # Errors
/// [`MediaError::NoFfmpeg`].
pub fn check_ffmpeg() -> Result<(), MediaError> {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop).map_err(|error| MediaError::NoFfmpeg(error.to_string()))
}

/// The frames of the video at `path`, `frames_per_second` of them, at most [`MAX_WIDTH`] wide.
///
/// # Errors
/// ffmpeg cannot be started.
pub fn frames(path: &Path, frames_per_second: f64) -> Result<VideoFrames, MediaError> {
    frames_within(path, frames_per_second, TIMEOUT)
}

/// [`frames`], of which each comes within `timeout`.
fn frames_within(path: &Path, frames_per_second: f64, timeout: Duration) -> Result<VideoFrames, MediaError> {
    let mut name = std::ffi::OsString::from("file:");
    name.push(path);
    let mut command = Command::new("ffmpeg");
    // Playlists must not make ffmpeg open the network; `bitexact` and one thread make it give the same each time.
    command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-threads", "1", "-i"]).arg(name);
    command.args(["-map", "0:v:0", "-an", "-sn", "-dn", "-sws_flags", "bicubic+accurate_rnd+full_chroma_int+bitexact"]);
    let filter = format!("fps={frames_per_second},scale='min({MAX_WIDTH},iw)':-1");
    command.args(["-vf", &filter, "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C in a terminal is for us: ffmpeg would end in good order, and half a clip would look whole.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut process = command.spawn().map_err(|error| MediaError::NoFfmpeg(error.to_string()))?;
    let (Some(stdout), Some(stderr)) = (process.stdout.take(), process.stderr.take()) else {
        return Err(MediaError::NoFfmpeg("its output cannot be read".to_owned()));
    };
    let (sender, frames) = sync_channel(AHEAD);
    let reader = std::thread::spawn(move || read_frames(stdout, &sender));
    let words = std::thread::spawn(move || last_line(stderr));
    Ok(VideoFrames { process, frames: Some(frames), reader: Some(reader), words: Some(words), timeout, ended: false })
}

/// Frames of a video. Dropping it stops ffmpeg.
pub struct VideoFrames {
    process: Child,
    frames: Option<Receiver<Result<Frame, String>>>,
    reader: Option<JoinHandle<()>>,
    words: Option<JoinHandle<String>>,
    timeout: Duration,
    ended: bool,
}

impl Iterator for VideoFrames {
    type Item = Result<Frame, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.frames.as_ref().map(|frames| frames.recv_timeout(self.timeout));
        let error = match next? {
            Ok(Ok(frame)) => return Some(Ok(frame)),
            Ok(Err(reason)) => Some(reason),
            Err(RecvTimeoutError::Timeout) => {
                // It may be gone already; then there is nothing to stop.
                let _ = self.process.kill();
                Some(format!("ffmpeg gave no frame for {} s", self.timeout.as_secs_f64()))
            }
            Err(RecvTimeoutError::Disconnected) => None,
        };
        self.ended = true;
        if error.is_some() {
            let _ = self.process.kill();
        }
        let status = self.process.wait();
        let words = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        let failed = match (error, status) {
            (Some(error), _) => error,
            (None, Ok(status)) if status.success() => return None,
            (None, Ok(_)) if !words.is_empty() => format!("ffmpeg: {words}"),
            (None, Ok(status)) => format!("ffmpeg ended with {status}"),
            (None, Err(error)) => format!("ffmpeg cannot be waited for: {error}"),
        };
        Some(Err(MediaError::Unreadable(failed)))
    }
}

impl Drop for VideoFrames {
    fn drop(&mut self) {
        // Errors only say that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // The reader may wait for room in the channel.
        self.frames = None;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if let Some(words) = self.words.take() {
            let _ = words.join();
        }
    }
}

/// Sends frames until the stream ends or nobody wants them any more.
fn read_frames(stdout: ChildStdout, frames: &SyncSender<Result<Frame, String>>) {
    let mut stream = BufReader::with_capacity(1 << 16, stdout);
    loop {
        match read_ppm(&mut stream) {
            Ok(None) => return,
            Ok(Some(frame)) => {
                if frames.send(Ok(frame)).is_err() {
                    return;
                }
            }
            Err(reason) => {
                // Nobody listening is no trouble here.
                let _ = frames.send(Err(reason));
                return;
            }
        }
    }
}

/// The next picture: `P6`, width, height and 255, each ended by one blank, and RGB.
fn read_ppm(stream: &mut impl std::io::BufRead) -> Result<Option<Frame>, String> {
    if stream.fill_buf().map_err(|error| error.to_string())?.is_empty() {
        return Ok(None);
    }
    let magic = word(stream)?;
    let mut number = || word(stream)?.parse::<usize>().map_err(|_| "ffmpeg wrote no picture".to_owned());
    let (width, height, maximum) = (number()?, number()?, number()?);
    let pixels = width.checked_mul(height).filter(|&pixels| pixels > 0 && pixels <= MAX_PIXELS);
    let Some(pixels) = pixels.filter(|_| magic == "P6" && maximum == 255) else {
        return Err(format!("ffmpeg wrote a picture of {width}×{height} pixels"));
    };
    let mut rgb = vec![0; 3 * pixels];
    stream.read_exact(&mut rgb).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => "ffmpeg ended within a frame".to_owned(),
        _ => error.to_string(),
    })?;
    let rgba = rgb.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    Frame::new(width, height, rgba).map(Some).map_err(|error| error.to_string())
}

/// The next word and the blank behind it.
fn word(stream: &mut impl std::io::BufRead) -> Result<String, String> {
    let mut word = String::new();
    for byte in stream.bytes().take(16) {
        match byte.map_err(|error| error.to_string())? {
            byte if byte.is_ascii_whitespace() => return Ok(word),
            byte => word.push(char::from(byte)),
        }
    }
    Err("ffmpeg wrote no picture".to_owned())
}

/// The last line of what ffmpeg says, of which only the end is kept.
fn last_line(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 1_024];
    while let Ok(count @ 1..) = stderr.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..count]);
        let surplus = kept.len().saturating_sub(KEPT_WORDS);
        kept.drain(..surplus);
    }
    let words = String::from_utf8_lossy(&kept);
    words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn reads_pictures_and_refuses_what_is_none() {
        let mut stream: &[u8] = b"P6\n2 1\n255\n\x01\x02\x03\x04\x05\x06P6\n1 1\n255\nabc";
        let first = read_ppm(&mut stream).unwrap().unwrap();
        assert_eq!((first.width, first.height, first.rgba), (2, 1, vec![1, 2, 3, 255, 4, 5, 6, 255]));
        assert_eq!(read_ppm(&mut stream).unwrap().unwrap().rgba, *b"abc\xff");
        assert_eq!(read_ppm(&mut stream), Ok(None));
        for wrong in
            ["P5\n1 1\n255\nabc", "P6\n99999999 99999999\n255\n", "P6\n0 1\n255\n", "P6\n1 1\n255\nab", "P6 ", "x"]
        {
            assert!(read_ppm(&mut wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(read_ppm(&mut [b'7'; 100].as_slice()).is_err());
    }

    #[test]
    fn a_video_that_does_not_come_ends_with_a_diagnostic() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.mp4");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let started = Instant::now();
        let mut frames = frames_within(&pipe, 10.0, Duration::from_millis(300)).unwrap();
        let Some(Err(MediaError::Unreadable(words))) = frames.next() else { panic!("a diagnostic") };
        assert!(words.contains("no frame for 0.3 s"), "{words}");
        assert!(frames.next().is_none() && started.elapsed() < Duration::from_secs(20));
    }
}
