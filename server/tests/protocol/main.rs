//! The protocol over real HTTP: what a participant may do, what a hostile one may not, and what a crash must not lose.

mod class;
mod crashes;
mod files;
mod instructor;
mod updates;
