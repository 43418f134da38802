//! The session worker, or an extractor on the CPU under that worker name. See [`emofed::worker`].

#[cfg(target_arch = "wasm32")]
fn main() {
    if emofed::worker::extractor::service::is_requested() {
        emofed::worker::extractor::service::run();
    } else {
        emofed::worker::session::run();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("this binary is built for wasm32-unknown-unknown, by `make build`");
}
