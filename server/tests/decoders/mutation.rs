//! Changes of valid bytes, by a seed.

use emofed::random::SplitMix64;

/// One of the samples with one to four changes.
pub fn mutate(samples: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut random = SplitMix64::new(seed);
    let mut bytes = samples[random.below(samples.len())].clone();
    for _ in 0..=random.below(4) {
        match random.below(12) {
            0 | 1 => flip(&mut bytes, &mut random),
            2 => overwrite(&mut bytes, &mut random),
            3 => bytes.truncate(random.below(bytes.len() + 1)),
            4 => {
                let other = &samples[random.below(samples.len())];
                let (from, length) = range(other, &mut random);
                splice(&mut bytes, &other[from..][..length], &mut random);
            }
            5 => {
                let (from, length) = range(&bytes, &mut random);
                bytes.drain(from..from + length);
            }
            6 => {
                let (from, length) = range(&bytes, &mut random);
                let twice = bytes[from..][..length].to_vec();
                splice(&mut bytes, &twice, &mut random);
            }
            7 => length_of_header(&mut bytes, &mut random),
            8 | 9 => number(&mut bytes, &mut random),
            10 => nested(&mut bytes, &mut random),
            _ => entry_twice(&mut bytes, &mut random),
        }
    }
    bytes
}

/// Anywhere, and more often near the beginning, where headers are.
fn place(bytes: &[u8], random: &mut SplitMix64) -> usize {
    match random.below(3) {
        0 => random.below(bytes.len().min(64) + 1),
        1 => random.below(bytes.len().min(1_024) + 1),
        _ => random.below(bytes.len() + 1),
    }
}

/// A few bytes of a sample.
fn range(bytes: &[u8], random: &mut SplitMix64) -> (usize, usize) {
    let from = place(bytes, random);
    (from, random.below((bytes.len() - from).min(256) + 1))
}

fn flip(bytes: &mut [u8], random: &mut SplitMix64) {
    let at = place(bytes, random);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn overwrite(bytes: &mut [u8], random: &mut SplitMix64) {
    let from = place(bytes, random);
    let length = random.below(16);
    bytes.iter_mut().skip(from).take(length).for_each(|byte| *byte = random.next_u64() as u8);
}

fn splice(bytes: &mut Vec<u8>, more: &[u8], random: &mut SplitMix64) {
    let at = place(bytes, random);
    bytes.splice(at..at, more.iter().copied());
}

/// The eight bytes that a safetensors file begins with.
fn length_of_header(bytes: &mut [u8], random: &mut SplitMix64) {
    let Some(first) = bytes.first_chunk_mut::<8>() else { return };
    let length = u64::from_le_bytes(*first);
    let lengths =
        [0, 1, length.wrapping_add(1), length.wrapping_sub(1), 99_999_999, 1 << 32, i64::MAX as u64, u64::MAX];
    *first = lengths[random.below(lengths.len())].to_le_bytes();
}

/// Another number in the place of one in the text.
fn number(bytes: &mut Vec<u8>, random: &mut SplitMix64) {
    const NUMBERS: [&str; 12] = [
        "0",
        "-1",
        "1e999",
        "-1e999",
        "1e-999",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "1.5",
        "999999999999999999999999999999999999999999",
    ];
    let starts: Vec<usize> = (0..bytes.len().min(16_384))
        .filter(|at| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[at - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[random.below(starts.len())];
    let end = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..end, NUMBERS[random.below(NUMBERS.len())].bytes());
}

/// Brackets within brackets, up to ten thousand deep.
fn nested(bytes: &mut Vec<u8>, random: &mut SplitMix64) {
    let (open, close) = [("[", "]"), (r#"{"a":"#, "}"), ("[[", "]]")][random.below(3)];
    let depth = 1 << random.below(14);
    let text = format!("{}0{}", open.repeat(depth), close.repeat(if random.below(2) == 0 { depth } else { 0 }));
    splice(bytes, text.as_bytes(), random);
}

/// An entry of an object once more.
fn entry_twice(bytes: &mut Vec<u8>, random: &mut SplitMix64) {
    let head = &bytes[..bytes.len().min(16_384)];
    let starts: Vec<usize> = (0..head.len()).filter(|at| head[*at] == b'"').collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[random.below(starts.len())];
    let Some(length) = head[start..].iter().position(|byte| *byte == b',') else { return };
    let entry = head[start..=start + length].to_vec();
    bytes.splice(start..start, entry);
}
