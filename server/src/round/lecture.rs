//! What is on the stage, and what may be.

use emofed::protocol::{Event, LECTURE_FOLDER, Lecture, LectureStatus};

use super::{Federation, Refusal, RoundError, Stage};

/// Most pictures of a lecture.
const MAX_PICTURES: usize = 500;
/// Longest address, in bytes.
const MAX_ADDRESS_BYTES: usize = 2_000;
/// Most names of files that the instructor's page is told.
const MAX_FILES: usize = 1_000;

impl Federation {
    /// Puts `lecture` on the stage.
    ///
    /// # Errors
    /// It may not be there, or the store fails.
    pub fn set_lecture(&self, lecture: Lecture) -> Result<(), RoundError> {
        self.config.stage.check(&lecture)?;
        self.transition(|state| {
            self.records.put_lecture(&lecture)?;
            state.lecture = Some(lecture.clone());
            self.refresh(state)
        })?;
        self.events.push(Event::LectureChanged);
        Ok(())
    }

    /// What is on the stage, and what may be. Reads the lecture folder.
    pub fn lecture_status(&self) -> LectureStatus {
        let Stage { folder, origins, .. } = &self.config.stage;
        let entries = folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
        let is_file = |entry: &std::fs::DirEntry| entry.path().is_file();
        let names =
            entries.filter_map(Result::ok).filter(is_file).filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<String> = names.filter(|name| !name.starts_with('.')).take(MAX_FILES).collect();
        files.sort();
        LectureStatus { current: self.snapshot().manifest.lecture.clone(), files, origins: origins.clone() }
    }
}

impl Stage {
    /// Checks that `lecture` may be on the stage.
    ///
    /// # Errors
    /// Which address may not, or that there is none.
    pub fn check(&self, lecture: &Lecture) -> Result<(), Refusal> {
        let addresses = lecture.addresses();
        if matches!(lecture, Lecture::Unknown) {
            return Err(Refusal::UnknownLecture);
        }
        if (addresses.is_empty() && *lecture != Lecture::None) || addresses.len() > MAX_PICTURES {
            return Err(Refusal::LectureAddresses { limit: MAX_PICTURES });
        }
        match addresses.iter().find(|address| !self.may_show(address)) {
            Some(address) => Err(Refusal::NotOnStage { address: address.chars().take(200).collect() }),
            None => Ok(()),
        }
    }

    fn may_show(&self, address: &str) -> bool {
        if address.len() > MAX_ADDRESS_BYTES || address.chars().any(|char| char.is_control() || char == '\\') {
            return false;
        }
        if let Some(name) = address.strip_prefix(LECTURE_FOLDER) {
            // Browsers read these as separators and dots.
            let lower = name.to_ascii_lowercase();
            if ["%2e", "%2f", "%5c"].iter().any(|escaped| lower.contains(escaped)) {
                return false;
            }
            let parts_are_names = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
            return self.folder.is_some() && parts_are_names;
        }
        self.origins.iter().any(|origin| {
            address.strip_prefix(origin.as_str()).is_some_and(|path| path.is_empty() || path.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_shows_own_files_and_allowed_origins_alone() {
        let stage = Stage {
            folder: Some("/srv/lectures".into()),
            origins: vec!["https://meet.example.org".to_owned()],
            ..Stage::default()
        };
        let page = |address: &str| stage.check(&Lecture::Page { address: address.to_owned() }).is_ok();
        assert!(page("https://meet.example.org/room?x=1") && page("https://meet.example.org") && page("lecture/1.pdf"));
        for refused in [
            "",
            "https://meet.example.org.evil.example/",
            "https://meet.example.org:444/",
            "http://meet.example.org/",
            "javascript:alert(1)",
            "data:text/html,hi",
            "blob:https://meet.example.org/1",
            "//meet.example.org/",
            "lecture/../data",
            "lecture/.hidden",
            "lecture//etc",
            "lecture/a\\..\\b",
            "lecture/",
            "lecture/%2e%2E/instructor.html",
            "index.html",
        ] {
            assert!(!page(refused), "{refused}");
        }
        assert!(Stage::default().check(&Lecture::Video { address: "lecture/1.mp4".to_owned() }).is_err());
        assert!(Stage::default().check(&Lecture::None).is_ok());
        assert!(stage.check(&Lecture::Pictures { addresses: Vec::new() }).is_err());
        assert!(stage.check(&Lecture::Unknown).is_err());
    }
}
