//! The session worker, or an extractor on the CPU if it is named so. See [`emofed::tab`].

#[cfg(target_arch = "wasm32")]
fn main() {
    if emofed::tab::extractor_worker::is_wanted() {
        emofed::tab::extractor_worker::run();
    } else {
        emofed::tab::session::run();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
